/** Tables of what a plugin takes in a Corefile and what it refuses: a test a row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { blockOf } from './block.ts'

const shown = (text: string): string => text.replaceAll(/\s*\n\s*/g, '; ')

export function itTakes(plugin: DnsPlugin, rows: readonly string[], folder?: string): void {
  for (const text of rows)
    test(`it takes: ${shown(text)}`, async (t) => {
      await blockOf(t, text, { plugins: [plugin], ...(folder !== undefined && { folder }) })
    })
}

/** Each row with the message, and the line where it is not the first. */
export function itRefuses(
  plugin: DnsPlugin,
  rows: readonly (readonly [text: string, message: RegExp])[],
  folder?: string,
): void {
  for (const [text, message] of rows)
    test(`it refuses: ${shown(text)}`, async (t) => {
      const options = { plugins: [plugin], ...(folder !== undefined && { folder }) }
      await assert.rejects(blockOf(t, text, options), (error: Error) => {
        assert.match(error.message, message)
        assert.match(error.message, /^Corefile:\d+ - /)
        return true
      })
    })
}
