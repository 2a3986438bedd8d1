// Checks open_release.mjs with releases made here, and with those a gateway gave to another stranger (folder TSUNAGI_RELEASES).
// Prints `N passed, N failed`; ends with 1 when anything failed.
import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CompactEncrypt, CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { openRelease } from './open_release.mjs'

let [passed, failed] = [0, 0]

async function check(name, run) {
  try {
    await run()
    passed += 1
  } catch (error) {
    failed += 1
    console.error(`FAILED ${name}: ${error.stack}`)
  }
}

const bytes = (text) => new TextEncoder().encode(text)
const hash = (text) => createHash('sha256').update(text).digest('base64url')
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

async function pair(alg) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, crv: 'P-256' })
  const jwk = await exportJWK(publicKey)
  return { privateKey, jwk, secret: await exportJWK(privateKey), kid: await calculateJwkThumbprint(jwk) }
}

const sign = (key, header, claims) => new CompactSign(bytes(JSON.stringify(claims))).setProtectedHeader({ alg: 'ES256', ...header }).sign(key.privateKey)

const [sender, reader, kb, stranger] = [await pair('ES256'), await pair('ECDH-ES+A256KW'), await pair('ES256'), await pair('ES256')]
const READER = 'municipality:131016-1'
const SENDER = 'settlement_center:13-1'
const ORIGIN = 'ledger.example/tsunagi'

/** A release as the protocol describes it; `spoil` changes one thing. */
async function release(spoil = {}) {
  const rows = { family_name: '髙\uFA19', handbook_mental: { held: true, grade: 2 }, offence_category: 'theft' }
  const disclosures = Object.entries(rows).map(([name, value]) => encode([spoil.salt ?? randomBytes(16).toString('base64url'), spoil.name ?? name, value]))
  const agr = { id: 'AG-13-0001', ver: 1, sha256: 'y' }
  const claims = {
    iss: SENDER, aud: READER, jti: randomUUID(), iat: Math.floor(Date.now() / 1000), kind: 'referral', agr, pur: ['placement_coordination'],
    cnf: { jwk: spoil.cnf ?? kb.jwk }, _sd_alg: 'sha-256', _sd: [], body: { _sd: disclosures.map(hash).sort() }, ...spoil.claims,
  }
  const issuer = await sign(spoil.signer ?? sender, { typ: spoil.typ ?? 'tsunagi-message+sd-jwt', kid: sender.kid, ...spoil.header }, claims)
  const shown = [issuer, ...disclosures.slice(0, spoil.shown ?? 2), ...(spoil.extra ?? []), ''].join('~')
  const binding = await sign(spoil.binder ?? kb, { typ: spoil.kbTyp ?? 'kb+jwt' }, {
    iat: claims.iat, aud: READER, nonce: 'n'.repeat(22), sd_hash: hash(shown), jti: randomUUID(),
    tsn: { origin: ORIGIN, idx: 7, agr, pol: 'p', terms: [] }, ...spoil.kb,
  })
  const header = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', typ: 'tsunagi-envelope+jwe', cty: 'application/sd-jwt', kid: reader.kid, ...spoil.envelope }
  const envelope = await new CompactEncrypt(bytes((spoil.cut ? spoil.cut(shown) : shown) + binding))
    .setProtectedHeader(header)
    .encrypt(await importJWK((spoil.encryptTo ?? reader).jwk, 'ECDH-ES+A256KW'))
  return {
    envelope, nonce: 'n'.repeat(22), reader: READER, reader_key: reader.secret, gateway: { keys: { kb: kb.jwk }, ledger: { origin: ORIGIN } },
    sender: { party: SENDER, keys: [{ use: 'sig', state: 'active', jwk: sender.jwk }] },
  }
}

await check('a release shows the disclosed rows', async () => {
  const { claims, kb: binding } = await openRelease(await release())
  assert.deepEqual(claims.body, { family_name: '髙\uFA19', handbook_mental: { held: true, grade: 2 } })
  assert.equal(claims.iss, SENDER)
  assert.equal(binding.tsn.idx, 7)
})
await check('a release may show nothing', async () => assert.deepEqual((await openRelease(await release({ shown: 0 }))).claims.body, {}))

const foreign = encode([randomBytes(16).toString('base64url'), 'given_name', 'x'])
const spoiled = {
  'signed by a stranger': { signer: stranger }, 'bound to a stranger': { cnf: stranger.jwk }, 'bound by a stranger': { binder: stranger },
  'other message type': { typ: 'JWT' }, 'member in the issuer header': { header: { x: 1 } }, 'other binding type': { kbTyp: 'JWT' },
  'for another reader': { kb: { aud: 'group_home:1320100017' } }, 'for another request': { kb: { nonce: 'm'.repeat(22) } },
  'other sd_hash': { kb: { sd_hash: hash('other') } }, 'other ledger': { kb: { tsn: { origin: 'x', idx: 7, agr: {}, pol: 'p', terms: [] } } },
  'binding without uuid': { kb: { jti: '1' } }, 'unreferenced disclosure': { extra: [foreign] }, 'disclosure taken out': { cut: (s) => s.split('~').filter((_, at) => at !== 1).join('~') },
  'reserved name': { name: '_sd' }, 'salt too short': { salt: 'abc' }, 'name twice': { name: 'family_name' }, 'digest algorithm': { claims: { _sd_alg: 'sha-512' } },
  'from somebody else': { claims: { iss: 'probation_office:13-1' } }, 'digest twice': { claims: { body: { _sd: [hash(foreign), hash(foreign)] } }, shown: 0 },
  'envelope type': { envelope: { typ: 'JWE' } }, 'envelope content': { envelope: { cty: 'JWT' } }, 'envelope key id': { envelope: { kid: 'x' } },
  'member in the envelope header': { envelope: { x: 1 } }, 'encrypted to somebody else': { encryptTo: await pair('ECDH-ES+A256KW') },
}
for (const [name, spoil] of Object.entries(spoiled)) {
  await check(`${name} is refused`, async () => assert.rejects(openRelease(await release(spoil))))
}
await check('a compromised key is not believed', async () => {
  const kept = await release()
  kept.sender.keys[0].state = 'compromised'
  await assert.rejects(openRelease(kept), /not known/)
})

const folder = process.env.TSUNAGI_RELEASES
const files = folder ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []
if (folder) await check('the folder holds releases', () => assert.ok(files.length >= 2, `only ${files.length} in ${folder}`))
for (const file of files) {
  const kept = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  await check(`${file} opens`, async () => assert.deepEqual((await openRelease(kept)).claims.body, kept.body))
  await check(`${file} with another nonce is refused`, () => assert.rejects(openRelease({ ...kept, nonce: 'x'.repeat(22) }), /another reader/))
  await check(`${file} with another sender key is refused`, () => {
    const keys = kept.sender.keys.map((k) => ({ ...k, jwk: stranger.jwk }))
    return assert.rejects(openRelease({ ...kept, sender: { ...kept.sender, keys } }), /not known/)
  })
}
if (!folder) console.log('skipped: releases of a gateway (TSUNAGI_RELEASES is not set)')

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0
