/** What `tls` takes in a Corefile, what that sets, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { certificateMaker } from '../../../../test/harness/certificates.ts'
import { blockOf } from '../testing/block.ts'
import tls from './plugin.ts'

const CLIENT_AUTHS = ['nocert', 'request', 'require', 'verify_if_given', 'require_and_verify']

const BAD: readonly (readonly [text: string, message: RegExp])[] = [
  ['tls', /needs a certificate and its key/],
  ['tls a.pem', /needs a certificate and its key/],
  ['tls a.pem a.key a.pem a.pem', /one too many/],
  ['tls missing.pem a.key', /missing\.pem cannot be used: ENOENT/],
  ['tls a.pem b.key', /b\.key is not the key of the certificate in a\.pem/],
  ['tls cut.pem a.key', /cut\.pem cannot be used/],
  ['tls a.pem cut.pem', /cut\.pem cannot be used/],
  ['tls a.pem a.key cut.pem', /cut\.pem cannot be used/],
  ['tls a.pem a.key {\nunknown\n}', /Corefile:2 - .*unknown property 'unknown'/],
  ['tls a.pem a.key {\nclient_auth\n}', /client_auth needs one of nocert/],
  ['tls a.pem a.key {\nclient_auth none bogus\n}', /one too many/],
  ['tls a.pem a.key {\nclient_auth bogus\n}', /unknown authentication type 'bogus'/],
  ['tls a.pem a.key {\nkeylog keys.txt\n}', /--tls-keylog/],
  ['tls a.pem a.key\ntls a.pem a.key', /only be used once/],
]

test('certificates, keys and what clients have to show are read; what does not fit is refused', async (t) => {
  const maker = certificateMaker(t)
  const { folder } = maker
  maker.make('a', ['dns.example.org'])
  maker.make('b', ['dns.example.org'])
  writeFileSync(join(folder, 'cut.pem'), '-----BEGIN CERTIFICATE-----\nMIIB')
  const at = (name: string) => join(folder, name)
  const plain = await blockOf(t, 'tls a.pem a.key', { plugins: [tls], folder })
  assert.deepEqual(plain.setup.settings.tls, { cert: at('a.pem'), key: at('a.key'), clientAuth: 'nocert' })
  for (const clientAuth of CLIENT_AUTHS) {
    const text = `tls a.pem a.key b.pem {\nclient_auth ${clientAuth}\n}`
    const { setup } = await blockOf(t, text, { plugins: [tls], folder })
    assert.deepEqual(setup.settings.tls, { cert: at('a.pem'), key: at('a.key'), ca: at('b.pem'), clientAuth })
  }
  for (const [text, message] of BAD)
    await assert.rejects(blockOf(t, text, { plugins: [tls], folder }), message, text)
})
