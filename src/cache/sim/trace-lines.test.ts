import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvLines, keyLines, type LineFormat } from './trace-lines.ts'

/** `key bytes`, or what else the line is. */
const readAll = (format: LineFormat, lines: readonly string[]): readonly string[] =>
  lines.map((line) => {
    const read = format.read(line)
    return read.kind === 'request' ? `${read.key} ${read.bytes ?? '-'}` : read.kind
  })

for (const [what, format, lines, expected] of [
  [
    'keys, with and without sizes',
    keyLines(),
    ['7', '8 512', ' a/b?c=d\t0 ', '', '# of last week', 'a 1 2', 'a -1', 'a 1.5', '\u0000\u0001'],
    ['7 -', '8 512', 'a/b?c=d 0', 'silent', 'silent', 'bad', 'bad', 'bad', 'bad'],
  ],
  ['keys that are no ASCII', keyLines(), ['olá 3'], ['olá 3']],
  [
    'CSV as libCacheSim has it',
    csvLines(),
    ['17,page/7,512', '18,page/8,1024,get,3', '19,page/9', '20,page/9,much', '21,,5'],
    ['page/7 512', 'page/8 1024', 'bad', 'bad', 'bad'],
  ],
  [
    'keys with sizes that no object has',
    keyLines(),
    ['a 9007199254740991', 'a 9007199254740992', `a ${'9'.repeat(400)}`],
    ['a 9007199254740991', 'bad', 'bad'],
  ],
  ['CSV of two columns', csvLines(), ['page/7,512', 'page/7', 'page/8,1'], ['page/7 512', 'bad', 'page/8 1']],
  [
    'CSV with a heading',
    csvLines(),
    ['op,Size,Object ID', 'get,12,a', 'set,13,b'],
    ['silent', 'a 12', 'b 13'],
  ],
  ['CSV with a heading without sizes', csvLines(), ['time,url', '1,/a', '2,/b'], ['silent', '/a -', '/b -']],
  [
    'CSV whose columns are named',
    csvLines(['time', 'key', '-', 'size']),
    ['1,a,9,512', '2,b,9'],
    ['a 512', 'bad'],
  ],
  ['columns with blanks between', csvLines(), ['17 a 512', '18  b 3', 'c 4'], ['a 512', 'b 3', 'bad']],
  ['two columns with a blank between, named', csvLines(['time', 'key']), ['17 a', '18 b'], ['a -', 'b -']],
  [
    'CSV with quotes, semicolons or tabs',
    csvLines(),
    ['1,"a,b ""c""",5', '1;x;6', '1\ty\t7', '1,z,8.0'],
    ['a,b "c" 5', 'x 6', 'y 7', 'z 8'],
  ],
] as const) {
  test(`a trace is read: ${what}`, () => assert.deepEqual(readAll(format, lines), expected))
}
