/** `tls`: certificate and key of the `tls://` and `https://` keys of a server block. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin, DnsTls } from '../../../contract/dns.ts'
import { atMost, onlyLine, unknownProperty } from '../line-words.ts'

const CLIENT_AUTHS = ['nocert', 'request', 'require', 'verify_if_given', 'require_and_verify'] as const

export default {
  name: 'tls',
  setup(controller) {
    const line = onlyLine(controller)
    const [cert, key, ca] = line.args
    if (!cert || !key)
      return controller.fail(line, 'tls needs a certificate and its key, such as: tls cert.pem key.pem')
    atMost(controller, line, 3)
    const certificate = readPem(controller, cert, (pem) => new X509Certificate(pem))
    const privateKey = readPem(controller, key, createPrivateKey)
    if (!certificate.checkPrivateKey(privateKey))
      controller.fail(key, `${key.text} is not the key of the certificate in ${cert.text}`)
    if (ca) readPem(controller, ca, (pem) => new X509Certificate(pem))
    const tls: DnsTls = {
      cert: controller.path(cert.text),
      key: controller.path(key.text),
      ...(ca && { ca: controller.path(ca.text) }),
      clientAuth: clientAuthOf(controller, line),
    }
    controller.settings.tls = tls
  },
} satisfies DnsPlugin

function readPem<T>(controller: DnsController, word: CorefileWord, read: (pem: Buffer) => T): T {
  try {
    return read(readFileSync(controller.path(word.text)))
  } catch (error) {
    return controller.fail(word, `${word.text} cannot be used: ${(error as Error).message}`)
  }
}

function clientAuthOf(controller: DnsController, { block = [] }: CorefileLine): DnsTls['clientAuth'] {
  let clientAuth: DnsTls['clientAuth'] = 'nocert'
  for (const property of block) {
    const { text } = property.name
    if (text === 'keylog')
      controller.fail(
        property,
        'keylog is not there in Orla: `node --tls-keylog=FILE` writes the keys of all connections',
      )
    if (text !== 'client_auth') unknownProperty(controller, property, ['client_auth'])
    const [word] = property.args
    if (!word) return controller.fail(property, `client_auth needs one of ${CLIENT_AUTHS.join(', ')}`)
    atMost(controller, property, 1)
    const known = CLIENT_AUTHS.find((auth) => auth === word.text)
    clientAuth =
      known ??
      controller.fail(word, `unknown authentication type '${word.text}': expected ${CLIENT_AUTHS.join(', ')}`)
  }
  return clientAuth
}
