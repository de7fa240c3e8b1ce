"""Spreadsheets as tests need them, down to the single cell."""

import io
import zipfile
from string import ascii_uppercase


def a_spreadsheet(cells: dict[str, str]) -> bytes:
    """The fewest parts that a reader takes; each cell stands in a row of its own."""
    formats = "http://schemas.openxmlformats.org"
    main, office = f"{formats}/spreadsheetml/2006/main", f"{formats}/officeDocument/2006"
    relations = f'<Relationships xmlns="{formats}/package/2006/relationships"><Relationship Id="a" '
    rows = "".join(
        f'<row r="{place.lstrip(ascii_uppercase)}"><c r="{place}" t="inlineStr"><is><t>{said}</t>'
        "</is></c></row>"
        for place, said in cells.items()
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{formats}/package/2006/content-types"/>',
        "_rels/.rels": f'{relations}Type="{office}/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}/relationships"><sheets>'
        '<sheet name="S" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{relations}Type="{office}/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData>'
        "</worksheet>",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()
