import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, UsageError } from './arguments.ts'
import { type Command, EXIT } from './command.ts'

const command: Command = {
  name: 'sample',
  operands: 'FILE…',
  operandsMin: 1,
  operandsMax: 2,
  text: '',
  options: {
    name: { value: 'NAME', text: '' },
    env: { value: 'K=V', many: true, text: '' },
    paths: { value: 'PATH,…', many: true, text: '' },
    wait: { value: 'stored|all', text: '' },
    timeout: { value: 'TIME', text: '' },
    priority: { value: 'N', text: '' },
    json: { text: '' },
  },
  examples: [],
  exits: {},
  run: () => Promise.resolve(EXIT.done),
}
const read = (...argv: string[]) => readArguments(command, argv)

for (const [argv, message] of [
  [['a', '--nmae', 'x'], 'unknown option --nmae; did you mean --name?'],
  [['a', '--frobnicate'], 'unknown option --frobnicate'],
  [['a', '-x'], /^unknown option -x/],
  [['a', '--name'], '--name needs a value: NAME'],
  [['a', '--name', '--json'], '--name needs a value: NAME'],
  [['a', '--json=yes'], '--json takes no value'],
  [['a', '--name', 'x', '--name', 'y'], '--name stands there twice'],
  [[], 'FILE… is missing'],
  [['a', 'b', 'c'], '"c" is one argument too many'],
] as const) {
  test(`"${argv.join(' ')}" is refused`, () => {
    assert.throws(() => read(...argv), { message })
  })
}

for (const [argv, look, message] of [
  [['--wait', 'sored'], 'wait', '--wait takes stored, all, not "sored"; did you mean stored?'],
  [['--timeout', '30'], 'timeout', '--timeout takes a time such as 30s (ms, s, m, h, d), not "30"'],
  [['--priority', 'high'], 'priority', '--priority takes a number from 0 to 9, not "high"'],
  [['--priority', '10'], 'priority', '--priority takes a number from 0 to 9, not "10"'],
  [['--env', 'TOKEN'], 'env', '--env takes NAME=VALUE, not "TOKEN"'],
  [['--env', '=x'], 'env', '--env takes NAME=VALUE, not "=x"'],
] as const) {
  test(`"${argv.join(' ')}" is refused when it is read`, () => {
    const args = read('a', ...argv)
    const looks = {
      wait: () => args.choice('wait', ['stored', 'all']),
      timeout: () => args.duration('timeout'),
      priority: () => args.number('priority', 0, 9),
      env: () => args.pairs('env'),
    }
    assert.throws(looks[look], (error) => error instanceof UsageError && error.message === message)
  })
}

test('options are read wherever they stand, with and without an equals sign', () => {
  const args = read('--name=x', 'a', '--env', 'A=1=2', '--json', 'b', '--env', 'B=', '--timeout', '1.5s')
  assert.deepEqual(args.operands, ['a', 'b'])
  assert.equal(args.text('name'), 'x')
  assert.equal(args.flag('json'), true)
  assert.deepEqual(args.pairs('env'), { A: '1=2', B: '' })
  assert.equal(args.duration('timeout'), 1500)
})

test('what was not given is undefined', () => {
  const args = read('a')
  assert.deepEqual(
    [args.text('name'), args.flag('json'), args.pairs('env'), args.list('paths'), args.duration('timeout')],
    [undefined, false, undefined, undefined, undefined],
  )
})

test('a list takes commas and repetition', () => {
  assert.deepEqual(read('a', '--paths', '/a, /b', '--paths', '/c').list('paths'), ['/a', '/b', '/c'])
})

test('a negative number is a value', () => {
  assert.equal(read('a', '--priority', '-5').number('priority', -10, 10), -5)
})

test('after two dashes everything is an operand', () => {
  assert.deepEqual(read('--', '--name').operands, ['--name'])
})

test('help is given whatever else is missing', () => {
  assert.equal(read('--help').flag('help'), true)
  assert.equal(read('-h').flag('help'), true)
})

test('what every object has is no option', () => {
  for (const name of ['--__proto__', '--constructor', '--toString']) {
    assert.throws(() => read('a', name), UsageError)
  }
})
