// Opens one code in this browser: a key pair per view, the box from the server, then both forgotten.
import { Problem, post } from "./wire.js";
import { proofHeaders, proven } from "./proof.js";

const HEADER_BYTES = 68; // LS1: magic, suite, merchant, lot, unit, key
const UNIT_AT = 36;
const MAGIC = "LS1\u0001";
const PADDING_END = 0x80;

// {fields, views, lastViewedAt}; throws a Problem.
export async function openCode(unitId) {
  try {
    return await reveal(unitId);
  } catch (problem) {
    if (problem.message !== "step_up_required") throw problem;
    if (!(await proven())) throw new Problem("step_up_given_up");
    return reveal(unitId);
  }
}

async function reveal(unitId) {
  const keys = nacl.box.keyPair();
  try {
    const answer = await post(
      `units/${unitId}/reveal`,
      { recipient_public_key: encode(keys.publicKey) },
      proofHeaders(),
    );
    const fields = unsealed(answer.box, keys.secretKey, unitId);
    return { fields, views: answer.views, lastViewedAt: answer.last_viewed_at };
  } finally {
    keys.secretKey.fill(0);
  }
}

function unsealed(box, secretKey, unitId) {
  const plain = opened(box, secretKey);
  if (plain === null) throw new Problem("broken");
  try {
    return read(plain, unitId);
  } catch {
    throw new Problem("broken");
  } finally {
    plain.fill(0);
  }
}

// What is no box at all is as good as one that does not open.
function opened(box, secretKey) {
  try {
    return nacl.box.open(decode(box.ciphertext), decode(box.nonce), decode(box.public_key), secretKey);
  } catch {
    return null;
  }
}

// The header must name the unit that was asked for; then JSON, then 0x80 and zeros.
function read(plain, unitId) {
  const magic = String.fromCharCode(...plain.subarray(0, MAGIC.length));
  const unit = Array.from(plain.subarray(UNIT_AT, UNIT_AT + 16), (byte) => byte.toString(16).padStart(2, "0"));
  if (magic !== MAGIC || unit.join("") !== unitId.replaceAll("-", "")) throw new Problem("broken");
  let end = plain.length - 1;
  while (end > HEADER_BYTES && plain[end] === 0) end -= 1;
  if (plain[end] !== PADDING_END) throw new Problem("broken");
  return JSON.parse(new TextDecoder().decode(plain.subarray(HEADER_BYTES, end)));
}

function encode(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

function decode(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
