/**
 * What an answer of `edge` costs with 20 nodes and 100,000 prefixes, from the bytes of a question to those of the answer, in CPU time: without sockets, beside a
 * handler that answers all with one record.
 *
 *     node src/plugins/dns/edge/edge.bench.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mmdbWith, type MmdbData } from '../../../../test/harness/mmdb.ts'
import { linesOf } from '../../../dns/corefile/lines.ts'
import { wordsOf } from '../../../dns/corefile/words.ts'
import { BlockSetup } from '../../../dns/block-setup.ts'
import { compileChain } from '../../../dns/chain.ts'
import { DnsFigures } from '../../../dns/metrics.ts'
import type { DnsHandler } from '../../../contract/dns.ts'
import { ipv4FromWord } from '../../../base/ip-address.ts'
import { ServerQuery } from '../../../dns/query.ts'
import { clientSubnetFor } from '../../../wire/dns/client-subnet.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { writeMessage } from '../../../wire/dns/message-writer.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { queryFor } from '../testing/block.ts'
import edge from './plugin.ts'

const PREFIXES = 100_000
const ANSWERS = 500_000

let seed = 42
const roll = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const coordinates = () => [roll() * 120 - 60, roll() * 360 - 180] as const
const places: MmdbData[] = Array.from({ length: 2000 }, () => {
  const [latitude, longitude] = coordinates()
  return { location: { latitude, longitude } }
})
const clientWord = (index: number, within: number): number => (0x0100_0000 + index * 0x8000 + within) >>> 0
const networks = Array.from({ length: PREFIXES }, (_, index) => {
  const word = clientWord(index, 0)
  const text = `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.0/17`
  return [text, places[Math.floor(roll() * places.length)]!] as const
})

const folder = mkdtempSync(join(tmpdir(), 'edge-bench-'))
writeFileSync(join(folder, 'city.mmdb'), mmdbWith(networks, 'GeoLite2-City'))
const nodes = Array.from({ length: 20 }, (_, index) => {
  const [latitude, longitude] = coordinates()
  return `node n${index} 192.0.2.${index + 1} {\nlocation ${latitude.toFixed(3)} ${longitude.toFixed(3)}\n}`
})

async function handlerFor(lines: string): Promise<DnsHandler> {
  const setup = new BlockSetup({
    zones: [DnsName.parse('example.org')],
    listeners: [{ transport: 'dns', port: 53 }],
    metrics: new DnsFigures(),
    host: { now: Date.now, steadyNow: () => performance.now(), random: Math.random },
    log: () => ({ debug() {}, info() {}, warn() {}, error() {} }),
    folder,
    ask: async () => undefined,
  })
  const text = `edge cdn.example.org {\n${nodes.join('\n')}\ngeo city.mmdb\n${lines}\n}`
  return edge.setup(setup.controllerFor('edge', linesOf(wordsOf(text, 'Corefile', {})).lines))
}

const record = new DnsRecord(DnsName.parse('cdn.example.org'), 1, 30, Buffer.from([192, 0, 2, 1]))
const one: DnsHandler = {
  handle: (query) => {
    const reply = query.reply()
    reply.answer.push(record)
    return reply
  },
}

function cpuNs(handler: DnsHandler, hasSubnet: boolean): number {
  const plugin = 'edge'
  const log = { debug() {}, info() {}, warn() {}, error: console.error }
  const chain = compileChain([{ plugin, handler, log }], { onPanic: (_name, error) => console.error(error) })
  const model = queryFor('cdn.example.org', 'A', hasSubnet ? { edns: {} } : {})
  const into = Buffer.alloc(2048)
  const words = Array.from({ length: 65_536 }, () =>
    clientWord(Math.floor(roll() * PREFIXES), Math.floor(roll() * 0x8000)),
  )
  const addresses = words.map((word) => ipv4FromWord(word))
  const subnets = addresses.map((ip) => ({
    udpSize: 1232,
    version: 0,
    isDo: false,
    options: [
      clientSubnetFor({ family: 4, words: [0, 0, 0, (ip.words[3] & 0xffff_ff00) >>> 0], length: 24 }),
    ],
  }))
  const round = (count: number) => {
    for (let asked = 0; asked < count; asked++) {
      const index = asked & 0xffff
      const peer = { ...model.peer, address: () => addresses[index]! }
      const asks = hasSubnet ? { ...model.asked, edns: subnets[index] } : model.asked
      const answer = chain(new ServerQuery(asks, peer, model.bytes, 0))
      if (answer instanceof DnsMessage) writeMessage(answer, into, 1232)
      else throw new Error(`no answer: ${String(answer)}`)
    }
  }
  round(100_000)
  const since = process.cpuUsage()
  round(ANSWERS)
  const { user, system } = process.cpuUsage(since)
  return ((user + system) * 1000) / ANSWERS
}

const show = (title: string, ns: number) => console.log(`${title}: ${ns.toFixed(0)} ns an answer`)
show('one record for all', cpuNs(one, false))
show('nearest of 20', cpuNs(await handlerFor(''), false))
show('two of 20 by weight', cpuNs(await handlerFor('filters up weight first 2'), false))
show('one record for all, with a client subnet', cpuNs(one, true))
show('nearest of 20, by client subnet, with its scope', cpuNs(await handlerFor('ecs any'), true))
rmSync(folder, { recursive: true })
