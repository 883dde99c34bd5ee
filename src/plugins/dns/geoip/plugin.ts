/** `geoip`: where a client is, as labels of metadata. */
import { readFileSync } from 'node:fs'
import type { CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { Mmdb, MmdbMalformed } from '../../../wire/mmdb.ts'
import { LABELS, type Schema, tellPlaces } from './labels.ts'

export default {
  name: 'geoip',
  setup(controller) {
    const [line, second] = controller.lines
    if (!line) return
    if (second) controller.fail(second, 'configuring multiple databases is not supported')
    const [word] = line.args
    if (!word || line.args.length > 1)
      return controller.fail(
        line,
        'Wrong argument count: expected the file of a table, such as GeoLite2-City.mmdb',
      )
    let isBySubnet = false
    for (const { name, args } of line.block ?? []) {
      if (name.text !== 'edns-subnet')
        controller.fail(name, `unknown property "${name.text}": expected edns-subnet`)
      if (args[0]) controller.fail(args[0], 'edns-subnet takes no argument')
      isBySubnet = true
    }
    const table = tableOf(controller, word)
    controller.settings.metadataProviders.push(
      tellPlaces(table, LABELS[schemaOf(controller, word, table)], isBySubnet),
    )
  },
} satisfies DnsPlugin

function tableOf(controller: DnsController, word: CorefileWord): Mmdb {
  try {
    return new Mmdb(readFileSync(controller.path(word.text)))
  } catch (error) {
    const why = error instanceof MmdbMalformed ? error.message : (error as Error).message
    return controller.fail(word, `failed to open database file: ${word.text}: ${why}`)
  }
}

function schemaOf(controller: DnsController, word: CorefileWord, { metadata }: Mmdb): Schema {
  const type = String(metadata.get('database_type'))
  if (/City|Country|Enterprise/.test(type)) return 'city'
  if (/ASN/.test(type)) return 'asn'
  return controller.fail(
    word,
    `reader does not support the "${type}" database type: it does not provide city schema; expected City, Country, Enterprise or ASN`,
  )
}
