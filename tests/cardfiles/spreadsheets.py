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


def with_part(spreadsheet: bytes, name: str, text: str) -> bytes:
    """The same with another part in the place of its own, or besides."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(spreadsheet)) as before,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for part in before.namelist():
            if part != name:
                archive.writestr(part, before.read(part))
        archive.writestr(name, text)
    return content.getvalue()


def a_sheet(rows: str) -> str:
    """The part of a sheet with these rows."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'


def with_shared_texts(spreadsheet: bytes, texts: list[str]) -> bytes:
    """With texts that cells name by their number."""
    formats = "http://schemas.openxmlformats.org"
    name = "xl/_rels/workbook.xml.rels"
    with zipfile.ZipFile(io.BytesIO(spreadsheet)) as archive:
        relations = archive.read(name).decode()
    shared = (
        f'<Relationship Id="s" Type="{formats}/officeDocument/2006/relationships/sharedStrings" '
        'Target="sharedStrings.xml"/></Relationships>'
    )
    spreadsheet = with_part(spreadsheet, name, relations.replace("</Relationships>", shared))
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    sst = f'<sst xmlns="{formats}/spreadsheetml/2006/main">{items}</sst>'
    return with_part(spreadsheet, "xl/sharedStrings.xml", sst)
