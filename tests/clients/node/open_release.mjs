// Opens a release as its reader: envelope, sender's signature, disclosures, key binding (protocol tsunagi/1, section 2; RFC 9901).
//
//   node open_release.mjs KEPT.json      prints what was released
//
// KEPT.json: {envelope, nonce, reader, reader_key (private JWK), gateway (pinned well-known document), sender (directory entry)}.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { base64url, calculateJwkThumbprint, compactDecrypt, compactVerify, importJWK } from 'jose'

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

export class Refused extends Error {}

function insist(condition, reason) {
  if (!condition) throw new Refused(reason)
}

const sha256 = (text) => createHash('sha256').update(text, 'ascii').digest('base64url')
const parse = (part) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(part)))
const publicOf = ({ kty, crv, x, y }) => ({ kty, crv, x, y })
const sameMembers = (object, names) => Object.keys(object).sort().join() === [...names].sort().join()

async function keyNamed(kid, keys) {
  for (const jwk of keys) {
    if ((await calculateJwkThumbprint(publicOf(jwk))) === kid) return importJWK(publicOf(jwk), 'ES256')
  }
  throw new Refused('signed by a key that is not known')
}

async function openEnvelope(envelope, readerKey) {
  const header = parse(envelope.split('.')[0])
  insist(sameMembers(header, ['alg', 'enc', 'typ', 'cty', 'kid', 'epk']), 'envelope header')
  insist(header.typ === 'tsunagi-envelope+jwe' && header.cty === 'application/sd-jwt', 'envelope type')
  insist(header.kid === (await calculateJwkThumbprint(publicOf(readerKey))), 'envelope for another key')
  const key = await importJWK({ ...publicOf(readerKey), d: readerKey.d }, 'ECDH-ES+A256KW')
  const options = { keyManagementAlgorithms: ['ECDH-ES+A256KW'], contentEncryptionAlgorithms: ['A256GCM'] }
  const { plaintext } = await compactDecrypt(envelope, key, options)
  return new TextDecoder('utf-8', { fatal: true }).decode(plaintext)
}

async function verifyJws(token, typ, keys, kidFrom) {
  const header = parse(token.split('.')[0])
  insist(header.alg === 'ES256' && header.typ === typ, `header of ${typ}`)
  const { payload } = await compactVerify(token, await keyNamed(kidFrom ?? header.kid, keys), { algorithms: ['ES256'] })
  return [header, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))]
}

function reveal(object, shown, used) {
  const { _sd: digests = [], ...plain } = object
  for (const digest of digests) {
    insist(!used.seen.has(digest), 'digest twice')
    used.seen.add(digest)
    if (!shown.has(digest)) continue
    const disclosure = shown.get(digest)
    insist(Array.isArray(disclosure) && disclosure.length === 3, 'disclosure of an object member has three elements')
    const [salt, name, value] = disclosure
    insist(typeof salt === 'string' && salt.length >= 22, 'salt too short')
    insist(typeof name === 'string' && name !== '_sd' && name !== '...' && !Object.hasOwn(plain, name), 'disclosed name')
    plain[name] = value
    used.count += 1
  }
  return plain
}

export async function openRelease({ envelope, nonce, reader, reader_key: readerKey, gateway, sender }) {
  const presentation = await openEnvelope(envelope, readerKey)
  const parts = presentation.split('~')
  const [issuerJwt, binding, disclosures] = [parts[0], parts.at(-1), parts.slice(1, -1)]
  insist(parts.length >= 2 && binding !== '', 'no key binding')

  const senderKeys = sender.keys.filter((k) => k.use === 'sig' && k.state !== 'compromised').map((k) => k.jwk)
  const [header, payload] = await verifyJws(issuerJwt, 'tsunagi-message+sd-jwt', senderKeys)
  insist(sameMembers(header, ['alg', 'typ', 'kid']), 'issuer header')
  insist(payload.iss === sender.party && payload._sd_alg === 'sha-256', 'sender or digest algorithm')

  const shown = new Map(disclosures.map((d) => [sha256(d), parse(d)]))
  insist(shown.size === disclosures.length, 'a disclosure twice')
  const used = { seen: new Set(), count: 0 }
  const { _sd_alg: _, body, ...claims } = reveal(payload, shown, used)
  claims.body = reveal(body, shown, used)
  insist(used.count === disclosures.length, 'a disclosure belongs to nothing')

  const bound = await calculateJwkThumbprint(publicOf(payload.cnf.jwk))
  const pinned = [gateway.keys.kb, ...(gateway.retired ?? []).filter((k) => k.use === 'kb').map((k) => k.jwk)]
  const [, kb] = await verifyJws(binding, 'kb+jwt', pinned, bound)
  insist(kb.aud === reader && kb.nonce === nonce, 'bound to another reader or request')
  insist(kb.sd_hash === sha256(presentation.slice(0, presentation.length - binding.length)), 'sd_hash')
  insist(UUID_V4.test(kb.jti) && Number.isInteger(kb.iat), 'key binding id or time')
  insist(kb.tsn.origin === gateway.ledger.origin && Number.isInteger(kb.tsn.idx), 'ledger reference')
  insist(['id', 'ver', 'sha256'].every((name) => kb.tsn.agr[name] === payload.agr[name]), 'agreement reference')
  insist(sameMembers(kb.tsn.agr, ['id', 'ver', 'sha256']), 'agreement reference')
  return { claims, kb }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const kept = JSON.parse(readFileSync(process.argv[2], 'utf8'))
  console.log(JSON.stringify(await openRelease(kept), null, 2))
}
