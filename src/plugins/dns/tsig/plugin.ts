/** `tsig`: who asks with a shared secret is known, and is answered with it. */
import { readFileSync } from 'node:fs'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { parseType } from '../../../wire/dns/codes.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'
import { isTsigAlgorithm, type TsigSecret } from '../../../wire/dns/tsig.ts'
import { onlyLine, unknownProperty } from '../line-words.ts'
import { TsigHandler } from './handler.ts'
import { KeyFileError, keysOf } from './key-file.ts'

export default {
  name: 'tsig',
  setup(controller) {
    const line = onlyLine(controller)
    const secrets = new Map<string, TsigSecret>()
    let required: ReadonlySet<number> | 'all' = new Set()
    for (const property of line.block ?? [])
      switch (property.name.text) {
        case 'secret':
          addSecret(controller, secrets, property)
          break
        case 'secrets':
          addFile(controller, secrets, property)
          break
        case 'require':
          required = requiredOf(controller, property)
          break
        default:
          unknownProperty(controller, property, ['secret', 'secrets', 'require'])
      }
    for (const [key, { secret }] of secrets) controller.settings.tsigSecrets.set(key, secret)
    const { now } = controller.host
    return new TsigHandler({
      zones: controller.zonesOf(line.args),
      secrets,
      required,
      nowS: () => now() / 1000,
      log: controller.log,
    })
  },
} satisfies DnsPlugin

function addSecret(controller: DnsController, secrets: Map<string, TsigSecret>, line: CorefileLine): void {
  const [name, secret, algorithm] = line.args
  if (!name || !secret || line.args.length > 3)
    controller.fail(
      line,
      'secret takes NAME KEY [ALGORITHM], such as: secret key.example.org. c2VjcmV0 hmac-sha256',
    )
  add(controller, secrets, name, name.text, secret.text, algorithm?.text)
}

function addFile(controller: DnsController, secrets: Map<string, TsigSecret>, line: CorefileLine): void {
  const [word] = line.args
  if (!word || line.args.length > 1)
    controller.fail(line, 'secrets takes one file, with keys as named.conf has them')
  const file = controller.path(word.text)
  try {
    for (const { name, secret, algorithm } of keysOf(readFileSync(file, 'utf8')))
      add(controller, secrets, word, name, secret, algorithm)
  } catch (error) {
    if (error instanceof KeyFileError || (error as NodeJS.ErrnoException).code !== undefined)
      controller.fail(word, `secrets ${file}: ${(error as Error).message}`)
    throw error
  }
}

function add(
  controller: DnsController,
  secrets: Map<string, TsigSecret>,
  where: CorefileWord,
  nameText: string,
  secretText: string,
  algorithmText: string | undefined,
): void {
  const name = nameOf(controller, where, nameText)
  if (secrets.has(name.key))
    controller.fail(where, `the key ${name.toString()} stands twice: a key has one secret`)
  // Padding and the alphabet of URLs are taken as they come, as other servers take them.
  if (!/^[a-z\d+/_-]+={0,2}$/i.test(secretText))
    controller.fail(where, `the secret of ${name.toString()} is no base64`)
  const secret = Buffer.from(secretText, 'base64')
  if (algorithmText === undefined) {
    secrets.set(name.key, { secret })
    return
  }
  const wanted = algorithmText === 'hmac-md5' ? 'hmac-md5.sig-alg.reg.int' : algorithmText
  const algorithm = nameOf(controller, where, wanted)
  if (!isTsigAlgorithm(algorithm))
    controller.fail(
      where,
      `the algorithm ${algorithmText} is not known: expected hmac-sha1, -sha224, -sha256, -sha384, -sha512 or hmac-md5`,
    )
  secrets.set(name.key, { secret, algorithm })
}

function nameOf(controller: DnsController, where: CorefileWord, text: string): DnsName {
  try {
    return DnsName.parse(text)
  } catch (error) {
    if (error instanceof DnsNameError) controller.fail(where, error.message)
    throw error
  }
}

function requiredOf(controller: DnsController, line: CorefileLine): ReadonlySet<number> | 'all' {
  if (line.args.length === 0) controller.fail(line, 'require takes types such as AXFR IXFR, all, or none')
  const [only] = line.args
  if (line.args.length === 1 && only!.text === 'all') return 'all'
  if (line.args.length === 1 && only!.text === 'none') return new Set()
  return new Set(
    line.args.map(
      (word) =>
        parseType(word.text) ??
        controller.fail(
          word,
          `unknown query type '${word.text}': expected types such as AXFR, or all or none alone`,
        ),
    ),
  )
}
