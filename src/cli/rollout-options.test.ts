import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, UsageError } from './arguments.ts'
import { command } from './commands/deploy.ts'
import { rolloutFrom } from './rollout-options.ts'

const read = (...argv: string[]) => rolloutFrom(readArguments(command, ['page.ts', ...argv]))

test('stages, gate and shadow become the body of a deploy', () => {
  for (const [argv, body] of [
    [[], {}],
    [['--stage', 'canary:5%,25%'], { stages: ['canary:5%,25%'] }],
    [
      [
        '--stage',
        'canary:5%',
        '--stage',
        '50%',
        '--step-for',
        '5m',
        '--min-runs',
        '0',
        '--gate',
        'errors=2%,latency=3x',
      ],
      {
        stages: ['canary:5%', '50%'],
        stepForMs: 300_000,
        gate: { errors: 0.02, latency: 3, minRuns: 0 },
      },
    ],
    [['--shadow'], { shadow: { share: 1, fetch: false } }],
    [
      ['--shadow', '--shadow-share', '10%', '--shadow-fetch', '--replace'],
      { shadow: { share: 0.1, fetch: true }, replace: true },
    ],
  ] as const)
    assert.deepEqual(read(...argv), body)
})

test('what does not go together is a slip of the command line', () => {
  for (const [argv, says] of [
    [['--stage', '5'], /--stage "5": "5" is no share/],
    [['--step-for', '5s'], /--step-for goes with --stage/],
    [['--gate', 'errors=1%'], /--gate goes with --stage/],
    [['--stage', '5%', '--gate', 'error=1%'], /--gate "error=1%" is no condition/],
    [['--shadow', '--stage', '5%'], /--shadow and --stage/],
    [['--shadow-share', '5%'], /--shadow-share goes with --shadow/],
    [['--shadow', '--shadow-share', '0%'], /--shadow-share takes a share/],
    [['--follow'], /--follow goes with --stage/],
  ] as const)
    assert.throws(
      () => read(...argv),
      (error: unknown) => error instanceof UsageError && says.test(error.message),
    )
})
