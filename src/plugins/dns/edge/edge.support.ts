/** A zone that is steered, with tables and a stand-in for whoever has the zone behind. */
import type { TestContext } from 'node:test'
import { mmdbOf, mmdbWith } from '../../../../test/harness/mmdb.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatIp } from '../../../base/ip-address.ts'
import { readPrefix, type IpPrefix } from '../../../base/ip-prefix.ts'
import type { DnsHost, DnsPlugin } from '../../../contract/dns.ts'
import { clientSubnetFor } from '../../../wire/dns/client-subnet.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { blockOf, type TestBlock } from '../testing/block.ts'
import edge from './plugin.ts'

const APEX = DnsName.parse('example.org')
const numbers = Buffer.alloc(20)
numbers.writeUInt32BE(2026, 0)
numbers.writeUInt32BE(60, 16)
const SOA = new DnsRecord(
  APEX,
  TYPE.SOA,
  3600,
  Buffer.concat([Buffer.from(APEX.wire + APEX.below('hostmaster')!.wire, 'latin1'), numbers]),
)

/** Knows the apex, with SOA and MX, and no name below it. */
export const behind: DnsPlugin = {
  name: 'behind',
  setup: () => ({
    handle: (query) => {
      const isApex = query.qname.equals(APEX)
      const reply = query.reply(isApex ? RCODE.NOERROR : RCODE.NXDOMAIN)
      reply.isAuthoritative = true
      if (isApex && query.qtype === TYPE.SOA) reply.answer.push(SOA)
      else if (isApex && query.qtype === TYPE.MX)
        reply.answer.push(new DnsRecord(APEX, TYPE.MX, 60, Buffer.from('\0\x0a\x02mx\0', 'latin1')))
      else reply.authority.push(SOA)
      return reply
    },
  }),
}

const city = (country: string, continent: string, latitude: number, longitude: number) => ({
  country: { iso_code: country },
  continent: { code: continent },
  location: { latitude, longitude },
})

/** With tables: 200.0.0.0/8 and 2001:db8::/32 are in São Paulo, 81.0.0.0/8 in London, 203.0.113.0/24 is AS64500. */
export function tables(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const cities = mmdbWith(
    [
      ['81.0.0.0/8', city('GB', 'EU', 51.5, -0.1)],
      ['200.0.0.0/8', city('BR', 'SA', -23.5, -46.6)],
      ['2001:db8::/32', city('BR', 'SA', -23.5, -46.6)],
    ],
    'GeoLite2-City',
  )
  writeFileSync(join(folder, 'city.mmdb'), cities)
  writeFileSync(join(folder, 'asn.mmdb'), mmdbOf({ '203.0.113.0/24': 64_500 }))
  return folder
}

export const NODES = `
  node gru1 192.0.2.1 2001:db8::1 {
    location -23.5 -46.6
    country BR
  }
  node lhr1 192.0.2.2 {
    location 51.5 -0.1
    country GB
    asn 64500
  }
  geo city.mmdb asn.mmdb`

export interface SteeredOptions {
  readonly names?: string
  readonly folder?: string
  readonly host?: Partial<DnsHost>
  readonly withoutZone?: boolean
}

export async function steered(
  t: TestContext,
  lines: string,
  options: SteeredOptions = {},
): Promise<TestBlock> {
  const { names = 'cdn.example.org', host = {}, withoutZone = false } = options
  const folder = options.folder ?? tables(t)
  const text = `edge ${names} {\n${lines}\n}\n${withoutZone ? '' : 'behind'}`
  return await blockOf(t, text, { plugins: [edge, behind], folder, host })
}

/** Options of EDNS with a client subnet. */
export const subnet = (prefix: string) => ({ options: [clientSubnetFor(readPrefix(prefix) as IpPrefix)] })

/** Addresses and names of an answer, in order. */
export const told = ({ answer }: DnsMessage): string =>
  answer
    .map(({ type, rdata }) => {
      if (type === TYPE.CNAME) return new DnsName(rdata.toString('latin1')).toString()
      if (type === TYPE.A) return formatIp({ family: 4, words: [0, 0, 0, rdata.readUInt32BE(0)] })
      if (type === TYPE.AAAA) {
        const word = (index: number) => rdata.readUInt32BE(index * 4)
        return formatIp({ family: 6, words: [word(0), word(1), word(2), word(3)] })
      }
      return `TYPE${type}`
    })
    .join(' ')

/** The scope of an answer's client subnet; undefined without one. */
export function scopeOf({ edns }: DnsMessage): number | undefined {
  const option = edns?.options.find(({ code }) => code === 8)
  return option?.data[3]
}
