/**
 * What messages cost to read and to write: `node src/wire/dns/message.bench.ts`. CPU time; the floor to stand beside is a copy of the answer's bytes.
 */
import { RCODE, TYPE } from './codes.ts'
import { addressRdata, nameRdata } from './common-rdata.ts'
import { DnsMessage } from './message.ts'
import { encodeMessage, writeMessage } from './message-writer.ts'
import { DnsName } from './name.ts'
import { DnsRecord } from './record.ts'

const ROUNDS = 100_000

const name = DnsName.parse('www.example.org')
const question = new DnsMessage()
question.question.push({ name, type: TYPE.A, class: 1 })
question.edns = { udpSize: 1232, version: 0, isDo: false, options: [] }

const one = question.copy()
one.isResponse = true
one.answer.push(new DnsRecord(name, TYPE.A, 300, addressRdata('192.0.2.1')!))
const ten = one.copy()
for (let host = 2; host <= 10; host++)
  ten.answer.push(new DnsRecord(name, TYPE.A, 300, addressRdata(`192.0.2.${host}`)!))
const referral = one.copy()
referral.answer = []
for (const host of ['a', 'b', 'c', 'd']) {
  const target = DnsName.parse(`${host}.ns.example.org`)
  referral.authority.push(new DnsRecord(DnsName.parse('example.org'), TYPE.NS, 300, nameRdata(target)))
  referral.additional.push(new DnsRecord(target, TYPE.A, 300, addressRdata('192.0.2.1')!))
}
const refused = new DnsMessage()
refused.rcode = RCODE.REFUSED

const header = encodeMessage(refused)
const bytesOf = new Map([question, one, ten, referral].map((message) => [message, encodeMessage(message)]))
const into = Buffer.alloc(4096)

const subjects: Readonly<Record<string, () => unknown>> = {
  'floor: copy of ten records': () => Buffer.from(bytesOf.get(ten)!),
  'decode a header': () => DnsMessage.decode(header),
  'decode a question': () => DnsMessage.decode(bytesOf.get(question)!),
  'decode one record': () => DnsMessage.decode(bytesOf.get(one)!),
  'decode ten records': () => DnsMessage.decode(bytesOf.get(ten)!),
  'decode a referral': () => DnsMessage.decode(bytesOf.get(referral)!),
  'encode one record': () => writeMessage(one, into, 1232),
  'encode ten records': () => writeMessage(ten, into, 1232),
  'encode a referral': () => writeMessage(referral, into, 1232),
}

console.log(`answer of ten records ${bytesOf.get(ten)!.length} bytes; best of 5 runs of ${ROUNDS}`)
for (const [subject, run] of Object.entries(subjects)) {
  let best = Number.POSITIVE_INFINITY
  for (let repeat = 0; repeat < 5; repeat++) {
    const before = process.cpuUsage()
    for (let round = 0; round < ROUNDS; round++) run()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / ROUNDS)
  }
  console.log(`${subject.padEnd(28)} ${best.toFixed(0).padStart(6)} ns`)
}
