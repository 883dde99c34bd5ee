import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, UsageError } from './arguments.ts'
import { changeWait, tellChange, waitQuery } from './change.ts'
import { CHANGE_OPTIONS, type Command, EXIT, JSON_OPTION } from './command.ts'

const command: Command = {
  name: 'sample',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: '',
  options: { ...CHANGE_OPTIONS, ...JSON_OPTION },
  examples: [],
  exits: {},
  run: () => Promise.resolve(EXIT.done),
}
const read = (...argv: string[]) => readArguments(command, argv)

for (const [argv, expected] of [
  [[], {}],
  [['--wait', 'stored'], { wait: 'stored' }],
  [['--wait', 'all', '--timeout', '5s'], { wait: 'all', timeoutMs: 5000 }],
  [['--wait', 'edges'], { wait: 'edges' }],
  [['--wait', 'edges:3'], { wait: 'edges', edges: 3 }],
  [['--wait', 'edges:gru1'], { wait: 'edges', edges: ['gru1'] }],
  [['--wait', 'edges:gru1, gru2'], { wait: 'edges', edges: ['gru1', 'gru2'] }],
  [['--wait', 'edges:a:b'], { wait: 'edges', edges: ['a:b'] }],
  [['--wait', 'all', '--on-timeout', 'withdraw'], { wait: 'all', onTimeout: 'withdraw' }],
] as const) {
  test(`"${argv.join(' ')}" is understood`, () => {
    assert.deepEqual(changeWait(read(...argv)), expected)
  })
}

for (const [argv, message] of [
  [
    ['--wait', 'edge'],
    '--wait takes stored, edges, edges:N, edges:NAME,NAME or all, not "edge"; did you mean edges?',
  ],
  [['--wait', 'all:3'], '--wait takes stored, edges, edges:N, edges:NAME,NAME or all, not "all:3"'],
  [['--wait', 'edges:0'], '--wait edges:N takes a number of nodes from 1 to 10000, not "0"'],
  [['--wait', 'edges:a,,b'], /a name is empty$/],
  [['--wait', 'edges:'], /a name is empty$/],
  [['--on-timeout', 'drop'], '--on-timeout takes keep, withdraw, not "drop"'],
  [['--timeout', '0s'], '--timeout takes 1ms or more'],
] as const) {
  test(`"${argv.join(' ')}" is refused`, () => {
    assert.throws(
      () => changeWait(read(...argv)),
      (error) =>
        error instanceof UsageError &&
        (typeof message === 'string' ? error.message === message : message.test(error.message)),
    )
  })
}

test('a query says of edges what a body says', () => {
  assert.deepEqual(waitQuery({ wait: 'edges', edges: ['a', 'b'], timeoutMs: 5 }), {
    wait: 'edges',
    edges: 'a,b',
    timeoutMs: 5,
  })
  assert.deepEqual(waitQuery({ wait: 'edges', edges: 2 }), { wait: 'edges', edges: 2 })
})

for (const [edges, noted] of [
  [undefined, []],
  [{ live: 3, of: 3, ms: 20.6 }, ['edges: 3/3 run it after 21 ms']],
  [{ live: 2, of: 3 }, ['edges: 2/3 run it']],
] as const) {
  test(`of edges it is told on standard error: ${noted[0] ?? 'nothing where there are none'}`, () => {
    const [printed, notes]: [string[], string[]] = [[], []]
    const terminal = {
      cwd: '/',
      env: {},
      print: (line: string) => void printed.push(line),
      note: (line: string) => void notes.push(line),
    }
    const result = edges === undefined ? {} : { edges }
    tellChange(read(), terminal, result, 'done')
    assert.deepEqual([printed, notes], [['done'], noted])
    tellChange(read('--json'), terminal, result, 'done')
    assert.deepEqual(JSON.parse(printed[1]!), result)
    assert.equal(notes.length, noted.length)
  })
}
