/**
 * What a zone of a million records costs to read: `node src/wire/dns/master-file.bench.ts`. CPU time of the parser alone, beside
 * the floor of looking at each byte once.
 */
import { parseMasterFile } from './master-file.ts'
import { DnsName } from './name.ts'

const RECORDS = 1_000_000

const lines = ['$TTL 3600', '@ IN SOA ns hostmaster 1 7200 3600 1209600 300', '@ NS ns']
for (let host = 0; lines.length < RECORDS; host++) {
  lines.push(
    `host-${host} IN A 10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`,
    `host-${host} IN AAAA 2001:db8::${(host & 0xffff).toString(16)}`,
    `www.host-${host} 300 IN CNAME host-${host}`,
    `host-${host} MX 10 mail.example.net.`,
    `host-${host} TXT "v=spf1 mx -all"`,
  )
}
const bytes = Buffer.from(`${lines.join('\n')}\n`)

function measure(name: string, run: () => number): void {
  let best = Number.POSITIVE_INFINITY
  let count = 0
  for (let repeat = 0; repeat < 3; repeat++) {
    const before = process.cpuUsage()
    count = run()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1e6)
  }
  console.log(
    `${name.padEnd(24)} ${best.toFixed(2)} s, ${((best * 1e9) / RECORDS).toFixed(0)} ns a record (${count})`,
  )
}

console.log(`${lines.length - 1} records in ${(bytes.length / 2 ** 20).toFixed(0)} MiB; best of 3 runs`)
measure('floor: each byte once', () => {
  let newlines = 0
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x0a) newlines += 1
  return newlines
})
measure('parseMasterFile', () => {
  let records = 0
  parseMasterFile(bytes, { origin: DnsName.parse('example.org'), file: 'zone' }, () => {
    records += 1
  })
  return records
})
