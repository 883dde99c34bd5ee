import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { factsOf } from '../../cache/sim/trace.ts'
import { readTrace, type TraceOptions } from './trace-file.ts'

function folderWith(t: TestContext, files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-trace-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** What is read of a file of this text. */
const readText = (
  t: TestContext,
  text: string | Buffer,
  options: Partial<TraceOptions> = {},
  name = 'trace',
) => readTrace([name], { cwd: folderWith(t, { [name]: text }), limits: {}, ...options })

const KEYS = 'a 10\nb 20\na 10\n'

for (const [what, text] of [
  ['as it is', KEYS],
  ['without an end of its last line', KEYS.trimEnd()],
  ['with lines as Windows ends them', KEYS.replaceAll('\n', '\r\n')],
  ['with the mark of UTF-8 before it', `\ufeff${KEYS}`],
  ['packed by gzip', gzipSync(KEYS)],
  ['packed by gzip in two parts', Buffer.concat([gzipSync(KEYS.slice(0, 7)), gzipSync(KEYS.slice(7))])],
  ['packed by Zstandard', zstdCompressSync(KEYS)],
] as const) {
  test(`a trace is read ${what}`, async (t) => {
    const { trace, format, bad } = await readText(t, text)
    assert.deepEqual([...trace.requests], [0, 1, 0])
    assert.deepEqual([...trace.sizes], [10, 20])
    assert.deepEqual([format, bad.count], ['keys', 0])
  })
}

for (const [format, text] of [
  ['keys', 'a\nb\nc 7\n'],
  ['keys', 'http://a.test/x,y\nhttp://a.test/z\n'],
  ['csv', '1,a,10\n2,b,20\n'],
  ['csv', 'time,key,size\n1,a,10\n'],
  ['json', '{"target":"/a","status":200}\n{"target":"/b","status":200}\n'],
  ['common', '1.1.1.1 - - [26/Nov/2026:10:54:40 +0000] "GET /a HTTP/1.1" 200 16 "-" "x"\n'],
] as const) {
  test(`the first lines tell that a trace is ${format}: ${JSON.stringify(text)}`, async (t) => {
    const reading = await readText(t, text)
    assert.deepEqual([reading.format, reading.bad.count], [format, 0])
  })
}

test('records of oracleGeneral are read by the name of the file, also where chunks cut them', async (t) => {
  const record = (object: bigint, size: number) => {
    const bytes = Buffer.alloc(24)
    bytes.writeBigUInt64LE(object, 4)
    bytes.writeUInt32LE(size, 12)
    return bytes
  }
  const records = Array.from({ length: 40_000 }, (_, i) => record(BigInt(i % 1000) << 30n, 100 + (i % 1000)))
  const { trace, format } = await readText(t, Buffer.concat(records), {}, 'w1.oracleGeneral')
  assert.equal(format, 'oracle-general')
  assert.deepEqual([trace.requests.length, trace.sizes.length], [40_000, 1000])
  assert.deepEqual(trace.sizes.slice(0, 3), Float64Array.of(100, 101, 102))
})

test('several files are one trace, and a heading of each is one', async (t) => {
  const cwd = folderWith(t, { one: 'key,size\na,1\n', two: 'key,size\na,1\nb,2\n' })
  const { trace, lines } = await readTrace(['one', 'two'], { cwd, limits: {} })
  assert.deepEqual([...trace.requests], [0, 0, 1])
  assert.equal(lines, 5)
})

test('a dash is standard input', async () => {
  const stdin = Readable.from([Buffer.from('a\n'), Buffer.from('b\na')])
  const { trace } = await readTrace(['-'], { cwd: '', limits: {}, stdin })
  assert.deepEqual([...trace.requests], [0, 1, 0])
})

test('lines of no use are counted, and the first is told with its place', async (t) => {
  const { bad, trace } = await readText(t, 'a 1\nb two\nc 3\nd four\n')
  assert.equal(trace.requests.length, 2)
  assert.deepEqual(bad, { count: 2, first: { file: 'trace', line: 2, text: 'b two' } })
})

test('a line without an end does not fill the memory', async (t) => {
  const { bad, trace } = await readText(t, `a 1\n${'x '.repeat(5_000_000)}\nb 2\n`)
  assert.deepEqual([bad.count, trace.requests.length], [1, 2])
  assert.ok(bad.first!.text.length < 100)
})

test('a line as long as a line may be is read in any format', async (t) => {
  const long = 'x'.repeat(65_536)
  for (const line of [
    `${long} 7`,
    `1,${long},7`,
    JSON.stringify({ target: `/${long}`, status: 200, bytesSent: 7 }),
    `1.1.1.1 - - [26/Nov/2026:10:54:40 +0000] "GET /${long} HTTP/1.1" 200 7`,
  ]) {
    const { trace, bad } = await readText(t, `${line}\n${line}\n`)
    assert.deepEqual([[...trace.requests], [...trace.sizes], bad.count], [[0, 0], [7], 0])
  }
})

test('a hundred thousand lines are all there, whatever chunks cut', async (t) => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `page/${i % 5000}/${'y'.repeat(i % 40)} ${i % 5000}`)
  const { trace, lines } = await readText(t, `${keys.join('\n')}\n`)
  assert.equal(lines, 100_000)
  assert.equal(factsOf(trace).distinct, new Set(keys.map((line) => line.split(' ')[0])).size)
})

for (const [what, text, code, message, options] of [
  ['an empty file', '', 'trace-useless', /^trace: it is empty$/, {}],
  ['empty lines alone', '\n\n', 'trace-useless', /^trace: it is empty$/, {}],
  [
    'what is no text',
    Buffer.from([0, 1, 2, 3, 10, 255, 0]),
    'trace-useless',
    /^trace:1: ".*" is no line of a trace, nor is any other of 2$/,
    {},
  ],
  [
    'prose',
    'Once upon a time\nthere was\na cache of its own\n',
    'trace-useless',
    /^trace:1: "Once upon a time"/,
    {},
  ],
  [
    'another format than was said',
    'a 1\n',
    'trace-useless',
    /^trace:1: "a 1" is no line/,
    { format: 'json' },
  ],
  [
    'a log of nothing but posts',
    '{"method":"POST","target":"/a","status":200}\n',
    'trace-useless',
    /^trace: no request that a cache could answer: 1 another method than GET$/,
    {},
  ],
  [
    'a cut archive',
    gzipSync('a 1\n'.repeat(1000)).subarray(0, 30),
    'file-unreadable',
    /^trace: it is packed, and cut short$/,
    {},
  ],
] as const) {
  test(`${what} is refused`, async (t) => {
    await assert.rejects(readText(t, text, options), { code, message })
  })
}

test('the hint says what a line should have looked like', async (t) => {
  await assert.rejects(readText(t, 'a b c\n'), {
    hint: 'expected a key, or a key and its size in bytes: "page/7 512"; --format names another format',
  })
})

test('what is not there, and what is a folder, is said', async (t) => {
  const cwd = folderWith(t, {})
  const read = (path: string) => readTrace([path], { cwd, limits: {} })
  await assert.rejects(read('nothing.log'), {
    code: 'file-unreadable',
    message: 'nothing.log: there is no such file',
  })
  await assert.rejects(read('.'), { code: 'file-unreadable', message: '. is a folder, not a trace' })
})
