/**
 * The arguments of a command, read by its description. A slip is answered with the option or command that was meant.
 */
import { parseArgs } from 'node:util'
import { nearest } from '../base/nearest.ts'
import { parseDuration } from '../base/quantity.ts'
import type { Command, Option } from './command.ts'

/** The command line is wrong: exit code 64. */
export class UsageError extends Error {}

/** Typed access to what was given. Values that do not fit throw a `UsageError` that names the option. */
export class Arguments {
  readonly operands: readonly string[]
  readonly #values: ReadonlyMap<string, readonly (string | true)[]>

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly (string | true)[]>) {
    this.operands = operands
    this.#values = values
  }

  flag(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | undefined {
    return this.all(name).at(-1)
  }

  all(name: string): readonly string[] {
    return (this.#values.get(name) ?? []).filter((value) => value !== true)
  }

  /** The values of an option that takes lists: `--paths /a,/b --paths /c`. */
  list(name: string): readonly string[] | undefined {
    if (!this.#values.has(name)) return undefined
    const items = this.all(name).flatMap((value) => value.split(','))
    return items.map((item) => item.trim()).filter((item) => item !== '')
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const given = this.text(name)
    if (given === undefined) return undefined
    const chosen = choices.find((choice) => choice === given)
    if (chosen !== undefined) return chosen
    const meant = nearest(given, choices)
    const guess = meant === undefined ? '' : `; did you mean ${meant}?`
    throw new UsageError(`--${name} takes ${choices.join(', ')}, not "${given}"${guess}`)
  }

  number(name: string, min: number, max: number): number | undefined {
    const given = this.text(name)
    if (given === undefined) return undefined
    const value = Number(given)
    if (given.trim() !== '' && value >= min && value <= max) return value
    throw new UsageError(`--${name} takes a number from ${min} to ${max}, not "${given}"`)
  }

  /** Milliseconds. */
  duration(name: string): number | undefined {
    const given = this.text(name)
    if (given === undefined) return undefined
    const value = parseDuration(given)
    if (value !== undefined) return value
    throw new UsageError(`--${name} takes a time such as 30s (ms, s, m, h, d), not "${given}"`)
  }

  /** `--env K=V --env L=W`; undefined where none was given. */
  pairs(name: string): Readonly<Record<string, string>> | undefined {
    const given = this.all(name)
    if (given.length === 0) return undefined
    const pairs = given.map((pair): [string, string] => {
      const equals = pair.indexOf('=')
      if (equals < 1) throw new UsageError(`--${name} takes NAME=VALUE, not "${pair}"`)
      return [pair.slice(0, equals), pair.slice(equals + 1)]
    })
    return Object.fromEntries(pairs)
  }
}

const HELP: Option = { text: 'this help' }

export function optionsOf(command: Command): Readonly<Record<string, Option>> {
  return { ...command.options, help: HELP }
}

/** Reads the arguments after the command's name. */
export function readArguments(command: Command, argv: readonly string[]): Arguments {
  const known = optionsOf(command)
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: {
      ...Object.fromEntries(
        Object.entries(known).map(([name, option]) => [
          name,
          { type: option.value === undefined ? 'boolean' : 'string', multiple: true } as const,
        ]),
      ),
      help: { type: 'boolean', short: 'h' },
    },
    // What is wrong is told in our own words.
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, (string | true)[]>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    const value = readOption(token, option, Object.keys(known))
    const before = values.get(token.name) ?? []
    if (before.length > 0 && value !== true && !option?.many) {
      throw new UsageError(`${token.rawName} stands there twice`)
    }
    values.set(token.name, [...before, value])
  }
  if (!values.has('help')) checkOperands(command, positionals)
  return new Arguments(positionals, values)
}

interface OptionToken {
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function readOption(token: OptionToken, option: Option | undefined, known: readonly string[]): string | true {
  const { rawName, value, inlineValue } = token
  if (!option) {
    const meant = nearest(rawName.replace(/^-+/, ''), known)
    throw new UsageError(
      `unknown option ${rawName}${meant === undefined ? '' : `; did you mean --${meant}?`}`,
    )
  }
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    return true
  }
  const isNextOption = !inlineValue && value !== undefined && /^-\D/.test(value)
  if (value === undefined || isNextOption) throw new UsageError(`${rawName} needs a value: ${option.value}`)
  return value
}

function checkOperands(command: Command, operands: readonly string[]): void {
  if (operands.length < command.operandsMin) throw new UsageError(`${command.operands} is missing`)
  if (operands.length > command.operandsMax) {
    throw new UsageError(`"${operands[command.operandsMax]}" is one argument too many`)
  }
}
