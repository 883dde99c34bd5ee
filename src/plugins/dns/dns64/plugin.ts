/** `dns64`: addresses of IPv6 for what has none, for networks that reach IPv4 through NAT64 (RFC 6147). */
import type { CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { Dns64Handler, type Dns64Options } from './handler.ts'
import { type Nat64Prefix, readNat64Prefix } from './prefix.ts'

const WELL_KNOWN = '64:ff9b::/96'

export default {
  name: 'dns64',
  setup: (controller) => new Dns64Handler(readOptions(controller), controller),
} satisfies DnsPlugin

function readOptions(controller: DnsController): Dns64Options {
  let prefix = readNat64Prefix(WELL_KNOWN) as Nat64Prefix
  let isForAll = false
  let isForIpv4 = false
  for (const { name, args, block = [] } of controller.lines) {
    if (args.length > 1)
      controller.fail(
        args[1]!,
        `Wrong argument count or unexpected line ending after '${args[1]!.text}': dns64 takes one prefix`,
      )
    if (args[0]) prefix = prefixOf(controller, args[0])
    for (const property of block) {
      const [word, ...more] = property.args
      const takes = property.name.text === 'prefix' ? 1 : 0
      if (property.args.length !== takes)
        controller.fail(
          more[0] ?? word ?? property,
          `Wrong argument count or unexpected line ending after '${(word ?? property.name).text}': ${property.name.text} takes ${takes}`,
        )
      if (property.name.text === 'prefix') prefix = prefixOf(controller, word!)
      else if (property.name.text === 'translate_all') isForAll = true
      else if (property.name.text === 'allow_ipv4') isForIpv4 = true
      else
        controller.fail(
          property,
          `unknown property '${property.name.text}' of ${name.text}: expected prefix, translate_all or allow_ipv4`,
        )
    }
  }
  return { prefix, isForAll, isForIpv4 }
}

function prefixOf(controller: DnsController, word: CorefileWord): Nat64Prefix {
  const prefix = readNat64Prefix(word.text)
  return typeof prefix === 'string' ? controller.fail(word, prefix) : prefix
}
