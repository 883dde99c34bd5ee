/** `bind`: the addresses that a server block listens on. */
import { networkInterfaces } from 'node:os'
import { formatIp, parseIp } from '../../../base/ip-address.ts'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { unknownProperty } from '../line-words.ts'

export default {
  name: 'bind',
  setup(controller) {
    const bound = controller.lines.flatMap((line) => addressesOf(controller, line))
    controller.settings.bind.push(...new Set(bound))
  },
} satisfies DnsPlugin

function addressesOf(controller: DnsController, line: CorefileLine): string[] {
  if (line.args.length === 0)
    controller.fail(line, 'at least one address or interface name is expected, such as 127.0.0.1 or lo')
  const except = new Set<string>()
  for (const property of line.block ?? []) {
    if (property.name.text !== 'except') unknownProperty(controller, property, ['except'])
    if (property.args.length === 0)
      controller.fail(property, 'except needs addresses or interface names, such as 127.0.0.1 or lo')
    for (const word of property.args)
      for (const address of addressesNamed(controller, word)) except.add(address)
  }
  const left = line.args
    .flatMap((word) => addressesNamed(controller, word))
    .filter((address) => !except.has(address))
  if (left.length === 0)
    controller.fail(line, 'no address is left to listen on: except leaves out all of them')
  return left
}

/** Those of an interface but for link-local ones, which mean nothing without the interface; or the one address that is written there. */
function addressesNamed(controller: DnsController, word: CorefileWord): string[] {
  const ofInterface = networkInterfaces()[word.text]
  if (ofInterface) {
    const usable = ofInterface
      .filter(({ address, scopeid }) => !scopeid && !/^(?:169\.254\.|fe[89ab])/i.test(address))
      .map(({ address }) => address)
    if (usable.length === 0) controller.fail(word, `the interface ${word.text} has no address to listen on`)
    return usable
  }
  if (word.text === 'localhost') return ['127.0.0.1']
  const ip = parseIp(word.text)
  if (ip) return [formatIp(ip)]
  return controller.fail(
    word,
    `not a valid IP address or interface name: '${word.text}': the interfaces here are ${Object.keys(networkInterfaces()).join(', ')}`,
  )
}
