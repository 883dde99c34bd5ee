/** How many bytes an answer may have behind `bufsize`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import bufsize from './plugin.ts'

const SIZES: readonly (readonly [text: string, said: number | undefined, isTcp: boolean, size: number])[] = [
  ['bufsize 1200', 4096, false, 1200],
  ['bufsize 1200', 1000, false, 1000],
  ['bufsize 1200', undefined, false, 512],
  ['bufsize', 4096, false, 1232],
  ['bufsize 1200', 4096, true, 65_535],
]
for (const [text, said, isTcp, size] of SIZES)
  test(`${text}, and a client that says ${said}${isTcp ? ' over TCP' : ''}: ${size} bytes`, async (t) => {
    let seen = 0
    const behind = answering((query) => {
      seen = query.size()
      return 5
    })
    const block = await blockOf(t, `${text}\nanswers`, { plugins: [bufsize, behind] })
    await block.ask('example.org', 'A', { isTcp, ...(said !== undefined && { edns: { udpSize: said } }) })
    assert.equal(seen, size)
  })
