// Verifies an exported ledger with the code that sigstore's JavaScript clients run on Rekor entries (@sigstore/verify).
//
//   node verify_export.mjs FOLDER VKEYFILE [KEPT]
//   node verify_export.mjs --serve VKEYFILE [KEPT]
//
// Signature of the checkpoint and the inclusion of every entry in the signed root are checked by that library; hash tiles, the entries' form and
// order and the openings' commitments here, as the protocol describes them. KEPT is an older checkpoint, which the export must continue. Exit code
// 0: verified, 1: refused, 2: usage. With --serve folders are read from standard input, one a line, and each is answered with one line:
// `accepted ...` or `refused REASON: ...`.
import { createHash, createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const { verifyCheckpoint } = require('@sigstore/verify/dist/tlog/checkpoint')
const { verifyMerkleInclusion } = require('@sigstore/verify/dist/tlog/merkle')

const TILE = 256
const MAX_LEAF = 4096

class Refused extends Error {
  constructor(reason, message) {
    super(message)
    this.reason = reason
  }
}

/** Whatever goes wrong in here is refused for this reason. */
function because(reason, run) {
  try {
    return run()
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(reason, error.message)
  }
}

const refuse = (message) => { throw new Error(message) }
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const leafHash = (entry) => sha256(Buffer.of(0), entry)
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right)

function utf8(bytes) {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

/** Base64 of one spelling only: the platform's decoder takes stray bits and characters. */
function base64(text, encoding = 'base64') {
  const bytes = Buffer.from(text, encoding)
  if (bytes.toString(encoding) !== text) refuse('not canonical base64')
  return bytes
}

/** A verifier key `name+id+key` as sigstore knows a log. */
function log(vkey) {
  const [, name, id, data] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey) ?? refuse('not a verifier key')
  const key = base64(data)
  if (key.length !== 33 || key[0] !== 1) refuse('not an Ed25519 key')
  if (sha256(`${name}\n`, key).subarray(0, 4).toString('hex') !== id) refuse('key id does not fit the key')
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)])
  return { name, logID: Buffer.from(id, 'hex'), baseURL: name, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) }
}

/** The library finds and verifies the signature; form is checked here, because it reads past what it does not know. */
function openCheckpoint(note, own) {
  const signed = because('signature', () => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: note } } }, [own]))
  const end = note.indexOf('\n\n')
  const [text, lines] = [note.slice(0, end + 1).split('\n').slice(0, -1), note.slice(end + 2).split('\n')]
  if (/[\x00-\x09\x0b-\x1f]/.test(note) || note.indexOf('\n\n', end + 1) >= 0 || lines.pop() !== '') refuse('not a signed note')
  const ids = lines.map((line) => {
    const [, name, blob] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? refuse('malformed signature line')
    return `${name} ${base64(blob).subarray(0, 4).toString('hex')}`
  })
  if (ids.filter((id) => id === `${own.name} ${own.logID.toString('hex')}`).length !== 1) refuse('not one signature by the known key')
  const root = base64(text[2] ?? '')
  if (text.length < 3 || text.some((line) => line === '') || text[0] !== own.name) refuse('not a checkpoint of this ledger')
  if (!/^[1-9][0-9]{0,14}$/.test(text[1]) || root.length !== 32) refuse('size or root')
  return { logSize: signed.logSize, logHash: signed.logHash, size: Number(text[1]) }
}

/** `1234067` -> `x001/x234/067` (C2SP tlog-tiles). */
function tileNumber(n) {
  let text = String(n % 1000).padStart(3, '0')
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) text = `x${String(rest % 1000).padStart(3, '0')}/${text}`
  return text
}

/** Every hash tile and entry bundle of a tree: path, level (null: a bundle), first element, width. */
function files(size) {
  const found = []
  for (let [level, count] = [0, size]; count > 0; level += 1, count = Math.floor(count / TILE)) {
    for (let first = 0; first < count; first += TILE) {
      const width = Math.min(TILE, count - first)
      const path = `${tileNumber(first / TILE)}${width === TILE ? '' : `.p/${width}`}`
      found.push({ path: `tile/${level}/${path}`, level, first, width })
      if (level === 0) found.push({ path: `tile/entries/${path}`, level: null, first, width })
    }
  }
  return found
}

function below(folder, path) {
  return readdirSync(join(folder, path), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? below(folder, `${path}/${entry.name}`) : [`${path}/${entry.name}`],
  )
}

function splitBundle(data) {
  const entries = []
  for (let at = 0; at < data.length; ) {
    if (at + 2 > data.length) refuse('bundle ends inside a length')
    const end = at + 2 + data.readUInt16BE(at)
    if (end > data.length) refuse('bundle ends inside an entry')
    entries.push(data.subarray(at + 2, end))
    at = end
  }
  return entries
}

/** All levels of a tree; a node without a sibling is carried up as it is (RFC 6962 section 2.1). */
function levelsOf(leaves) {
  const levels = [leaves]
  while (levels.at(-1).length > 1) {
    const row = levels.at(-1)
    levels.push(Array.from({ length: Math.ceil(row.length / 2) }, (_, i) => (2 * i + 1 < row.length ? nodeHash(row[2 * i], row[2 * i + 1]) : row[2 * i])))
  }
  return levels
}

function checkInclusion(levels, index, entry, checkpoint) {
  const hashes = levels.slice(0, -1).flatMap((row, level) => row[Math.floor(index / 2 ** level) ^ 1] ?? [])
  verifyMerkleInclusion({ canonicalizedBody: entry, inclusionProof: { logIndex: String(index), hashes } }, checkpoint)
}

/** The RFC 8785 form of a parsed text: JavaScript writes strings and numbers as that asks. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}

function checkEntries(entries) {
  const ids = new Set()
  let last = ''
  return entries.map((leaf, index) => {
    const text = utf8(leaf)
    const entry = JSON.parse(text)
    if (leaf.length >= MAX_LEAF || entry?.v !== 1 || canonical(entry) !== text) refuse(`entry ${index} is not a canonical entry of version 1`)
    if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(entry.id) || ids.has(entry.id)) refuse(`id of entry ${index}`)
    ids.add(entry.id)
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(entry.time) || entry.time <= last) refuse(`time of entry ${index}`)
    last = entry.time
    return entry.open_c
  })
}

function checkOpenings(folder, commitments) {
  const lines = utf8(readFileSync(join(folder, 'openings.ndjson'))).split('\n')
  if (lines.pop() !== '' || lines.length !== commitments.length) refuse('openings.ndjson needs one line per entry')
  lines.forEach((line, index) => {
    const record = JSON.parse(line)
    // A member that stands twice is read as its last by this parser and as its first by another.
    if (line.match(/"(?:index|opened|salt)":/g)?.length !== (record.opened ? 3 : 2)) refuse(`line ${index} of openings.ndjson`)
    if (Object.keys(record).sort().join() !== 'index,opened' || record.index !== index) refuse(`line ${index} of openings.ndjson`)
    if (record.opened === null) return
    const { salt, ...rest } = record.opened
    const bytes = base64(salt, 'base64url')
    const own = sha256('tsunagi/opening/v1', bytes, canonical(rest)).toString('base64url')
    if (bytes.length !== 32 || own !== commitments[index]) refuse(`opening ${index} is not what the entry commits to`)
  })
}

/** Verifies an export or throws `Refused`. */
export function verifyExport(folder, vkey, kept) {
  const own = because('key', () => log(vkey))
  const read = (path) => because('files', () => readFileSync(join(folder, path)))
  if (!read('vkey').equals(Buffer.from(`${vkey}\n`))) throw new Refused('key', 'the export names another ledger key than the pinned one')
  const note = read('checkpoint')
  const checkpoint = because('checkpoint', () => openCheckpoint(utf8(note), own))
  const expected = files(checkpoint.size)
  because('files', () => {
    const present = new Set(below(folder, 'tile'))
    if (present.size !== expected.length || !expected.every(({ path }) => present.has(path) && statSync(join(folder, path)).isFile())) refuse('not the files of a tree of this size')
  })
  const entries = expected.filter(({ level }) => level === null).flatMap(({ path, width }) => {
    const bundle = because('form', () => splitBundle(read(path)))
    if (bundle.length !== width) throw new Refused('form', `${path} holds ${bundle.length} entries, not ${width}`)
    return bundle
  })
  const leaves = entries.map(leafHash)
  const levels = levelsOf(leaves)
  because('root', () => entries.forEach((entry, index) => checkInclusion(levels, index, entry, checkpoint)))
  because('tile', () => {
    for (const { path, level, first, width } of expected.filter(({ level }) => level !== null)) {
      // A hash of level L is that of 256^L leaves: 8 L levels further up.
      const row = levels[8 * level].slice(first, first + width)
      if (!read(path).equals(Buffer.concat(row))) refuse(`${path} is not what the entries hash to`)
    }
  })
  if (kept) {
    because('history', () => {
      const older = openCheckpoint(kept, own)
      if (older.size > checkpoint.size) refuse('the export is older than the kept checkpoint')
      const begin = levelsOf(leaves.slice(0, older.size))
      for (const index of new Set([0, older.size >> 1, older.size - 1])) checkInclusion(begin, index, entries[index], older)
    })
  }
  const commitments = because('entry', () => checkEntries(entries))
  because('opening', () => checkOpenings(folder, commitments))
  return entries.length
}

const oneLine = (text) => String(text).replace(/[\r\n]/g, ' ').slice(0, 300)

function answer(folder, vkey, kept) {
  try {
    return `accepted ${verifyExport(folder, vkey, kept)} entries`
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return `refused ${error.reason}: ${oneLine(error.message)}`
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [what, vkeyFile, keptFile] = process.argv.slice(2)
  if (!vkeyFile) {
    console.error('usage: verify_export.mjs FOLDER|--serve VKEYFILE [KEPT]')
    process.exit(2)
  }
  const vkey = readFileSync(vkeyFile, 'utf8').trim()
  const kept = keptFile && readFileSync(keptFile, 'utf8')
  if (what === '--serve') {
    for await (const folder of createInterface({ input: process.stdin })) console.log(answer(folder, vkey, kept))
  } else {
    const said = answer(what, vkey, kept)
    console.log(said)
    process.exitCode = said.startsWith('accepted') ? 0 : 1
  }
}
