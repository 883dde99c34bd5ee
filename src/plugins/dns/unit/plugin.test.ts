import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsUnits } from '../../../contract/dns.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { blockOf } from '../testing/block.ts'
import unit from './plugin.ts'

/** Answers what it is asked for, and notes of whom. */
function unitsFake(): DnsUnits & { readonly asked: (readonly string[] | undefined)[] } {
  const asked: (readonly string[] | undefined)[] = []
  return {
    asked,
    isHooked: true,
    run(query, next, only) {
      asked.push(only && [...only])
      return query.name() === 'else.example.org.' ? next(query) : query.reply()
    },
  }
}

test('without names all units are asked, with names those', async (t) => {
  const units = unitsFake()
  const all = await blockOf(t, 'unit', { plugins: [unit], host: { units } })
  assert.ok((await all.ask('a.example.org')) instanceof DnsMessage)
  assert.equal(await all.ask('else.example.org'), 5)
  const some = await blockOf(t, 'unit shop shop-2', { plugins: [unit], host: { units } })
  await some.ask('a.example.org')
  assert.deepEqual(units.asked, [undefined, undefined, ['shop', 'shop-2']])
})

test('what is wrong with its line is told', async (t) => {
  const units = unitsFake()
  const refused: [string, RegExp][] = [
    ['unit Shop', /plugin\/unit: "Shop" is no name of a unit: expected lower-case letters/],
    ['unit shop shop', /"shop" is named twice/],
    ['unit shop {\n x\n}', /it takes no block: expected `unit \[NAME…\]`/],
    ['unit\nunit', /stands twice in one server block/],
  ]
  for (const [text, message] of refused)
    await assert.rejects(blockOf(t, text, { plugins: [unit], host: { units } }), { message })
  await assert.rejects(blockOf(t, 'unit', { plugins: [unit] }), {
    message: /there are no units here: they are deployed to a node; start one with/,
  })
})
