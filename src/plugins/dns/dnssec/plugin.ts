/** `dnssec`: answers are signed as they are given. */
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import type { DnssecKey } from '../../../wire/dns/dnssec.ts'
import { onlyLine, unknownProperty } from '../line-words.ts'
import { DnssecHandler } from './handler.ts'
import { readKeyPair } from './key-pair.ts'

const CAPACITY = 10_000

export default {
  name: 'dnssec',
  setup(controller) {
    const line = onlyLine(controller)
    const zones = controller.zonesOf(line.args)
    const keys: DnssecKey[] = []
    let capacity = CAPACITY
    for (const property of line.block ?? [])
      if (property.name.text === 'key') keys.push(...keysOf(controller, property))
      else if (property.name.text === 'cache_capacity') capacity = capacityOf(controller, property)
      else unknownProperty(controller, property, ['key', 'cache_capacity'])
    for (const { owner, tag } of keys)
      if (!zones.some((zone) => zone.isWithin(owner)))
        controller.fail(
          line,
          `key ${owner.toString()} (keyid: ${tag}) can not sign any of the zones: expected a key of ${zones.map(String).join(' or ')}`,
        )
    const { now } = controller.host
    return new DnssecHandler(zones, keys, capacity, () => Math.floor(now() / 1000))
  },
} satisfies DnsPlugin

function keysOf(controller: DnsController, line: CorefileLine): DnssecKey[] {
  const [kind, ...files] = line.args
  if (kind?.text !== 'file' || files.length === 0)
    return controller.fail(
      line,
      'key takes files: expected key file KEY..., such as key file Kexample.org.+013+45330',
    )
  return files.map((word) => {
    try {
      return readKeyPair(controller.path(word.text.replace(/\.(key|private)$/, '')))
    } catch (error) {
      return controller.fail(word, (error as Error).message)
    }
  })
}

function capacityOf(controller: DnsController, line: CorefileLine): number {
  const [word] = line.args
  if (line.args.length !== 1 || !/^\d{1,7}$/.test(word!.text))
    return controller.fail(line, 'cache_capacity takes a number of signatures, up to 9999999')
  return Number(word!.text)
}
