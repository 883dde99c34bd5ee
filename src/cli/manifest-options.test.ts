import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, UsageError } from './arguments.ts'
import { type Command, EXIT } from './command.ts'
import { MANIFEST_OPTIONS, manifestFrom } from './manifest-options.ts'

const command: Command = {
  name: 'deploy',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: '',
  options: MANIFEST_OPTIONS,
  examples: [],
  exits: {},
  run: () => Promise.resolve(EXIT.done),
}
const manifest = (...argv: string[]) => manifestFrom(readArguments(command, argv))

for (const [argv, expected] of [
  [[], {}],
  [['--hosts', 'a.example,b.example'], { hosts: ['a.example', 'b.example'] }],
  [['--paths', '/hls/*', '--paths', '/vod/*'], { paths: ['/hls/*', '/vod/*'] }],
  [['--methods', 'get,head'], { methods: ['GET', 'HEAD'] }],
  [['--priority', '-3'], { priority: -3 }],
  [['--sample', '0.1'], { sample: { share: 0.1, by: 'random' } }],
  [['--sample', '0.1, cookie:id'], { sample: { share: 0.1, by: 'cookie:id' } }],
  [['--on-error', 'lastGood'], { onError: 'lastGood' }],
  [['--isolation', 'inline', '--cpu-ms', '5'], { isolation: 'inline', limits: { cpuMs: 5 } }],
  [
    ['--manifest', '{"priority": 1, "limits": {"cpuMs": 3, "wallMs": 9}}', '--cpu-ms', '5'],
    { priority: 1, limits: { cpuMs: 5, wallMs: 9 } },
  ],
  [['--manifest', '{"priority": 1}', '--priority', '2'], { priority: 2 }],
  // Unknown fields are for the control plane to refuse: it names the nearest known one.
  [['--manifest', '{"path": "/x"}'], { path: '/x' }],
] as const) {
  test(`"${argv.join(' ')}" gives ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(manifest(...argv), expected)
  })
}

for (const argv of [
  ['--sample', '2'],
  ['--sample', 'half'],
  ['--sample', '0.5,ip'],
  ['--sample', ','],
  ['--manifest', '{'],
  ['--manifest', '[]'],
  ['--on-error', 'ignore'],
  ['--memory-mb', '4'],
]) {
  test(`"${argv.join(' ')}" is refused`, () => {
    assert.throws(() => manifest(...argv), UsageError)
  })
}
