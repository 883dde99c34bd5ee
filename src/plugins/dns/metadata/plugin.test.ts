/** What `metadata` takes in a Corefile, whose queries have metadata then, and what it refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { blockOf } from '../testing/block.ts'
import { itRefuses } from '../testing/setup-table.ts'
import metadata from './plugin.ts'

/** Tells the name of a query, and reports what it finds there when it is asked. */
const teller = (seen: unknown[]): DnsPlugin => ({
  name: 'teller',
  setup(controller) {
    controller.settings.metadataProviders.push((query) =>
      query.metadata.set('teller/name', () => query.name()),
    )
    return {
      handle(query) {
        seen.push(query.metadata.get('teller/name')?.())
        return 5
      },
    }
  },
})

const ROWS: readonly (readonly [text: string, asked: string, told: string | undefined])[] = [
  ['metadata', 'www.example.org', 'www.example.org.'],
  ['metadata', 'www.example.net', undefined],
  ['metadata example.net.', 'www.example.net', 'www.example.net.'],
  ['metadata example.net a.example.org', 'b.example.org', undefined],
  ['metadata example.net\nmetadata example.org', 'b.example.org', 'b.example.org.'],
  ['', 'www.example.org', undefined],
]
for (const [text, asked, told] of ROWS)
  test(`${text.replaceAll('\n', '; ') || 'without metadata'}: of ${asked}, ${told ?? 'nothing'} is told`, async (t) => {
    const seen: unknown[] = []
    const block = await blockOf(t, `${text}\nteller`, { plugins: [metadata, teller(seen)] })
    await block.ask(asked)
    assert.deepEqual(seen, [told])
  })

itRefuses(metadata, [
  ['metadata {\nmap a b {\n}\n}', /Corefile:2 - .*'map' is not there/],
  ['metadata {\nfoo\n}', /unknown property 'foo'/],
])
