/**
 * CPU time of a hit in the cache: the handler alone, asked with queries that are new each time, and with the message written into bytes.
 *
 *     node src/plugins/dns/cache/cache.bench.ts
 *
 * The floor beside it is the empty answer that every hit makes (`query.reply()`), and the same written.
 */
import { BlockSetup } from '../../../dns/block-setup.ts'
import { DnsFigures } from '../../../dns/metrics.ts'
import { ServerQuery } from '../../../dns/query.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { writeMessage } from '../../../wire/dns/message-writer.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { queryFor } from '../testing/block.ts'
import cache from './plugin.ts'

const ROUNDS = 2_000_000
const NAMES = 1000

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
const setup = new BlockSetup({
  zones: [DnsName.ROOT],
  listeners: [],
  metrics: new DnsFigures(),
  host: { now: () => Date.now(), steadyNow: () => performance.now(), random: () => Math.random() },
  log: () => silent,
  folder: '.',
  ask: async () => undefined,
})
const word = { text: 'cache', file: 'bench', line: 1, isQuoted: false }
const handler = cache.setup(setup.controllerFor('cache', [{ name: word, args: [] }]))

const queries = Array.from({ length: NAMES }, (_, index) => queryFor(`www${index}.example.org`))
for (const query of queries)
  void handler.handle(query, () => {
    const answer = query.reply()
    answer.answer.push(new DnsRecord(query.qname, 1, 3600, Buffer.from([192, 0, 2, 1])))
    return answer
  })

const never = () => {
  throw new Error('a miss')
}
const into = Buffer.alloc(2048)

/** A query as the server makes one: names are strings that no map has seen. */
const fresh = (round: number): ServerQuery => {
  const { asked, peer, bytes } = queries[round % NAMES]!
  return new ServerQuery(asked, peer, bytes, 0)
}

const CASES: Readonly<Record<string, (round: number) => void>> = {
  'query alone': (round) => void fresh(round),
  'empty answer': (round) => void fresh(round).reply(),
  'empty answer, written': (round) => void writeMessage(fresh(round).reply(), into, 1232),
  hit: (round) => void handler.handle(fresh(round), never),
  'hit, written': (round) => void writeMessage(handler.handle(fresh(round), never) as DnsMessage, into, 1232),
}

for (const [name, run] of Object.entries(CASES)) {
  for (let round = 0; round < 200_000; round++) run(round)
  const before = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) run(round)
  const { user, system } = process.cpuUsage(before)
  console.log(`${name.padEnd(24)} ${(((user + system) * 1000) / ROUNDS).toFixed(0)} ns`)
}
