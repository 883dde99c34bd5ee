/** A template of Go's `text/template`, run over a value. */
import {
  GoTemplateError,
  type Operand,
  parseTemplate,
  type Pipe,
  type TemplateBranch,
  type TemplateNode,
} from './go-template-syntax.ts'

export { GoTemplateError }

/**
 * What templates look into: text, numbers, truth, lists, maps, and objects whose keys are their fields. A function is a method, called with the
 * arguments behind it.
 */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly TemplateValue[]
  | ReadonlyMap<string, TemplateValue>
  | ((...args: TemplateValue[]) => TemplateValue)
  | TemplateStruct
/** Asking for a field that it does not have is an error; a map has no value then. */
export interface TemplateStruct {
  readonly [field: string]: TemplateValue
}

export type TemplateFunction = (...args: TemplateValue[]) => TemplateValue

/** A loop over lists within lists ends here, in characters of what is written. */
const OUTPUT_MAX = 65_536

export class GoTemplate {
  readonly source: string
  readonly #nodes: readonly TemplateNode[]
  readonly #functions: ReadonlyMap<string, TemplateFunction>

  private constructor(
    source: string,
    nodes: readonly TemplateNode[],
    functions: ReadonlyMap<string, TemplateFunction>,
  ) {
    this.source = source
    this.#nodes = nodes
    this.#functions = functions
  }

  /** Throws a `GoTemplateError` with line and column. `more` stands beside Go's own functions. */
  static parse(source: string, more: Readonly<Record<string, TemplateFunction>> = {}): GoTemplate {
    const functions = new Map([...Object.entries(BUILT_IN), ...Object.entries(more)])
    return new GoTemplate(
      source,
      parseTemplate(source, new Set([...functions.keys(), 'and', 'or'])),
      functions,
    )
  }

  /** Throws a `GoTemplateError` where a field is not there, an index is out of range, a function is given what it does not take. */
  execute(data: TemplateStruct): string {
    const run = new Run(this.#functions, data)
    run.list(this.#nodes, data)
    return run.output
  }
}

class Run {
  output = ''
  readonly #functions: ReadonlyMap<string, TemplateFunction>
  readonly #variables: { readonly name: string; value: TemplateValue }[]

  constructor(functions: ReadonlyMap<string, TemplateFunction>, data: TemplateValue) {
    this.#functions = functions
    this.#variables = [{ name: '$', value: data }]
  }

  /** What ended it before its end, where that is `break` or `continue`. */
  list(nodes: readonly TemplateNode[], dot: TemplateValue): 'break' | 'continue' | undefined {
    for (const node of nodes) {
      if (node.kind === 'text') this.#write(node.text)
      else if (node.kind === 'break' || node.kind === 'continue') return node.kind
      else if (node.kind === 'action') {
        const value = this.#pipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) this.#write(printed(value))
        else this.#assign(node.pipe, [value])
      } else {
        const ended = this.#branch(node, dot)
        if (ended) return ended
      }
    }
    return undefined
  }

  #branch(node: TemplateBranch, dot: TemplateValue) {
    const known = this.#variables.length
    const value = this.#pipe(node.pipe, dot)
    let ended: 'break' | 'continue' | undefined
    if (node.kind === 'range') ended = this.#range(node, value, dot)
    else {
      this.#assign(node.pipe, [value])
      const within = node.kind === 'with' && isTrue(value) ? value : dot
      ended = this.list(isTrue(value) ? node.body : node.otherwise, within)
    }
    this.#variables.length = known
    return ended
  }

  #range(node: TemplateBranch, value: TemplateValue, dot: TemplateValue) {
    const entries = entriesOf(value)
    if (entries.length === 0) return this.list(node.otherwise, dot)
    for (const [key, element] of entries) {
      const known = this.#variables.length
      this.#assign(node.pipe, node.pipe.variables.length === 2 ? [key, element] : [element])
      const ended = this.list(node.body, element)
      this.#variables.length = known
      if (ended === 'break') break
    }
    return undefined
  }

  #assign({ variables, isDeclared }: Pipe, values: readonly TemplateValue[]): void {
    for (const [index, name] of variables.entries()) {
      const known = isDeclared ? undefined : this.#variables.findLast((one) => one.name === name)
      if (known) known.value = values[index]
      else this.#variables.push({ name, value: values[index] })
    }
  }

  #pipe(pipe: Pipe, dot: TemplateValue): TemplateValue {
    let value: TemplateValue
    for (const [index, { operands }] of pipe.commands.entries()) {
      const given = index === 0 ? [] : [() => value]
      value = this.#command(operands, given, dot, pipe)
    }
    return value
  }

  #command(
    [first, ...rest]: readonly Operand[],
    given: readonly (() => TemplateValue)[],
    dot: TemplateValue,
    pipe: Pipe,
  ): TemplateValue {
    const args = [...rest.map((operand) => () => this.#value(operand, dot, pipe)), ...given]
    if (first!.kind === 'function' && (first!.name === 'and' || first!.name === 'or'))
      return firstThat(args, first!.name === 'or')
    const callee =
      first!.kind === 'function' ? this.#functions.get(first!.name)! : this.#operand(first!, dot, pipe)
    if (typeof callee !== 'function') {
      if (args.length > 0) throw new GoTemplateError(`<${pipe.text}>: what is no function is given arguments`)
      return callee
    }
    try {
      return callee(...args.map((argument) => argument()))
    } catch (error) {
      if (!(error instanceof GoTemplateError) || error.message.startsWith('<')) throw error
      throw new GoTemplateError(`<${pipe.text}>: ${error.message}`)
    }
  }

  /** Of an operand that is an argument: a function without arguments is called. */
  #value(operand: Operand, dot: TemplateValue, pipe: Pipe): TemplateValue {
    const value = this.#operand(operand, dot, pipe)
    return typeof value === 'function' ? value() : value
  }

  #operand(operand: Operand, dot: TemplateValue, pipe: Pipe): TemplateValue {
    switch (operand.kind) {
      case 'literal':
        return operand.value
      case 'variable':
        return this.#variables.findLast(({ name }) => name === operand.name)?.value
      case 'function':
        return this.#functions.get(operand.name)
      case 'pipe':
        return this.#pipe(operand.pipe, dot)
      default: {
        let value = operand.of ? this.#operand(operand.of, dot, pipe) : dot
        for (const field of operand.path) value = fieldOf(value, field, pipe)
        return value
      }
    }
  }

  #write(text: string): void {
    this.output += text
    if (this.output.length > OUTPUT_MAX)
      throw new GoTemplateError(`it writes more than ${OUTPUT_MAX} characters`)
  }
}

function fieldOf(value: TemplateValue, field: string, { text }: Pipe): TemplateValue {
  if (value instanceof Map) return value.get(field) as TemplateValue
  if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, field))
    throw new GoTemplateError(`<${text}>: there is no field ${field}`)
  return (value as TemplateStruct)[field]
}

/** Go's truth: not zero, and not empty. */
function isTrue(value: TemplateValue): boolean {
  if (value instanceof Map) return value.size > 0
  return Array.isArray(value) ? value.length > 0 : Boolean(value)
}

function firstThat(args: readonly (() => TemplateValue)[], holds: boolean): TemplateValue {
  let value: TemplateValue
  for (const argument of args) {
    value = argument()
    if (isTrue(value) === holds) break
  }
  return value
}

function entriesOf(value: TemplateValue): (readonly [TemplateValue, TemplateValue])[] {
  if (Array.isArray(value)) return [...value.entries()]
  if (value instanceof Map) return [...value.entries()].toSorted(([one], [other]) => (one < other ? -1 : 1))
  if (value === undefined || value === null) return []
  throw new GoTemplateError('range: expected a list or a map')
}

function printed(value: TemplateValue): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(printed).join(' ')}]`
  if (value instanceof Map)
    return `map[${entriesOf(value)
      .map(([key, one]) => `${printed(key)}:${printed(one)}`)
      .join(' ')}]`
  if (typeof value === 'object') return `{${Object.values(value).map(printed).join(' ')}}`
  return String(value)
}

function numberOf(value: TemplateValue, name: string): number {
  if (typeof value === 'number') return value
  throw new GoTemplateError(`${name}: expected a number, not ${printed(value)}`)
}

function lengthOf(value: TemplateValue): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  if (value instanceof Map) return value.size
  throw new GoTemplateError(`len: expected a text, a list or a map, not ${printed(value)}`)
}

function indexed(value: TemplateValue, ...keys: TemplateValue[]): TemplateValue {
  let found = value
  for (const key of keys) {
    if (found instanceof Map) {
      found = found.get(String(key)) ?? ''
      continue
    }
    const index = numberOf(key, 'index')
    if (typeof found !== 'string' && !Array.isArray(found))
      throw new GoTemplateError(`error calling index: ${printed(found)} has no places`)
    if (!Number.isInteger(index) || index < 0 || index >= found.length)
      throw new GoTemplateError(`error calling index: index out of range: ${index}`)
    found = typeof found === 'string' ? found.charCodeAt(index) : (found[index] as TemplateValue)
  }
  return found
}

function sliced(value: TemplateValue, from: TemplateValue = 0, to?: TemplateValue): TemplateValue {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new GoTemplateError(`error calling slice: ${printed(value)} has no places`)
  const [start, end] = [numberOf(from, 'slice'), to === undefined ? value.length : numberOf(to, 'slice')]
  if (start < 0 || end > value.length || start > end)
    throw new GoTemplateError(`error calling slice: index out of range: ${start}:${end}`)
  return value.slice(start, end) as TemplateValue
}

function compared(one: TemplateValue, other: TemplateValue, name: string): number {
  if (typeof one !== typeof other || !['string', 'number', 'boolean'].includes(typeof one))
    throw new GoTemplateError(
      `error calling ${name}: ${printed(one)} and ${printed(other)} cannot be compared`,
    )
  return one === other ? 0 : one! < other! ? -1 : 1
}

/** The verbs that a line of text needs: `%s %v %q %d %x %X %o %b %c %t %f %%`, with width, `-` and `0`. */
function formatted(format: TemplateValue, ...args: TemplateValue[]): string {
  if (typeof format !== 'string') throw new GoTemplateError('printf: expected a text first')
  let index = 0
  return format.replace(
    /%([-0+]*)(\d{0,3})(?:\.(\d{1,2}))?([a-zA-Z%])/g,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%'
      if (index >= args.length) return `%!${verb}(MISSING)`
      const text = formattedOne(args[index++], verb, precision)
      if (flags.includes('-')) return text.padEnd(Number(width))
      return text.padStart(Number(width), flags.includes('0') ? '0' : ' ')
    },
  )
}

function formattedOne(value: TemplateValue, verb: string, precision: string | undefined): string {
  const radix = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb]
  if (verb === 'f') return numberOf(value, 'printf').toFixed(Number(precision ?? 6))
  if (verb === 'q') return JSON.stringify(printed(value))
  if (verb === 'c') return String.fromCodePoint(numberOf(value, 'printf'))
  if (radix === undefined)
    return printed(value).slice(0, precision === undefined ? undefined : Number(precision))
  const digits =
    typeof value === 'number'
      ? Math.trunc(value).toString(radix)
      : radix === 16
        ? Buffer.from(printed(value)).toString('hex')
        : `%!${verb}(${printed(value)})`
  return verb === 'X' ? digits.toUpperCase() : digits
}

const BUILT_IN: Readonly<Record<string, TemplateFunction>> = {
  index: indexed,
  slice: sliced,
  len: lengthOf,
  not: (value) => !isTrue(value),
  eq: (one, ...others) => others.some((other) => compared(one, other, 'eq') === 0),
  ne: (one, other) => compared(one, other, 'ne') !== 0,
  lt: (one, other) => compared(one, other, 'lt') < 0,
  le: (one, other) => compared(one, other, 'le') <= 0,
  gt: (one, other) => compared(one, other, 'gt') > 0,
  ge: (one, other) => compared(one, other, 'ge') >= 0,
  print: (...args) => args.map(printed).join(''),
  println: (...args) => `${args.map(printed).join(' ')}\n`,
  printf: formatted,
  urlquery: (...args) => encodeURIComponent(args.map(printed).join('')),
}
