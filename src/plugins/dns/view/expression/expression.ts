/**
 * Expressions of `view`, checked whole when they are read, and made into closures: what is of the wrong type is told then, and not when a query comes.
 */
import { GoRegex, GoRegexError } from '../../../../base/go-regex.ts'
import { nearest } from '../../../../base/nearest.ts'
import { CidrSet } from '../../../../base/cidr.ts'
import type { DnsQuery } from '../../../../contract/dns.ts'
import { ExpressionError } from './expression-error.ts'
import { FUNCTIONS, prefixFrom, type Type, type Value } from './functions.ts'
import { parseExpression, type Syntax } from './syntax.ts'

type Evaluate = (query: DnsQuery) => Value
interface Checked {
  readonly type: Type
  /** Of an array: what all of its items are; undefined where they differ, or there are none. */
  readonly items?: Type | undefined
  readonly evaluate: Evaluate
}

/** Longer ranges are no lists that somebody means. */
const RANGE_MAX = 100_000

/** Whether a query is meant. Throws an `ExpressionError`. What it returns throws where a value is wrong that comes with the query. */
export function compileExpression(source: string): (query: DnsQuery) => boolean {
  const syntax = parseExpression(source)
  const { type, evaluate } = check(syntax)
  if (type !== 'bool')
    throw new ExpressionError(syntax.column, `this is a ${type}: expected something that is true or false`)
  return evaluate as (query: DnsQuery) => boolean
}

function check(syntax: Syntax): Checked {
  switch (syntax.kind) {
    case 'literal': {
      const { value } = syntax
      return { type: typeOf(value), evaluate: () => value }
    }
    case 'array':
      return checkArray(syntax.items)
    case 'call':
      return checkCall(syntax)
    case 'unary':
      return checkUnary(syntax)
    case 'choice': {
      const condition = expect(syntax.condition, 'bool', 'in front of ?').evaluate
      const chosen = check(syntax.chosen)
      const otherwise = expect(syntax.otherwise, chosen.type, 'as in front of the colon').evaluate
      return {
        ...chosen,
        evaluate: (query) => (condition(query) === true ? chosen.evaluate(query) : otherwise(query)),
      }
    }
    case 'binary':
      return checkBinary(syntax)
  }
}

const typeOf = (value: string | number | boolean): Type =>
  typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : 'bool'

function checkArray(syntaxes: readonly Syntax[]): Checked {
  const checked = syntaxes.map((item) => check(item))
  const items = checked.every(({ type }) => type === checked[0]!.type) ? checked[0]?.type : undefined
  if (syntaxes.every(({ kind }) => kind === 'literal')) {
    const values = syntaxes.map((item) => (item as { readonly value: Value }).value)
    return { type: 'array', items, evaluate: () => values }
  }
  return { type: 'array', items, evaluate: (query) => checked.map(({ evaluate }) => evaluate(query)) }
}

function checkCall({ name, args, column }: Syntax & { readonly kind: 'call' }): Checked {
  if (!Object.hasOwn(FUNCTIONS, name)) {
    const meant = nearest(name, Object.keys(FUNCTIONS))
    throw new ExpressionError(
      column,
      `unknown function ${name}()${meant === undefined ? `: known are ${Object.keys(FUNCTIONS).join(', ')}` : `: did you mean ${meant}()?`}`,
    )
  }
  const { takes, gives, call } = FUNCTIONS[name]!
  if (args.length !== takes.length)
    throw new ExpressionError(column, `${name}() takes ${takes.length} arguments, not ${args.length}`)
  const given = args.map((arg, index) => {
    const checked = check(arg)
    const types = takes[index]!
    if (!types.includes(checked.type))
      throw new ExpressionError(
        arg.column,
        `${name}() takes a ${types.join(' or ')} here, not a ${checked.type}`,
      )
    return checked.evaluate
  })
  if (name === 'incidr') {
    const prefix = args[1]!
    if (prefix.kind === 'literal') return checkInCidr(args[0]!, given[0]!, prefix)
  }
  if (given.length === 0) return { type: gives, evaluate: (query) => call(query, []) }
  return {
    type: gives,
    evaluate: (query) =>
      call(
        query,
        given.map((evaluate) => evaluate(query)),
      ),
  }
}

/** Nearly all are of the client's address and a prefix that stands there: then neither is read again for each query. */
function checkInCidr(ip: Syntax, given: Evaluate, prefix: Syntax & { readonly kind: 'literal' }): Checked {
  const cidr = prefixFrom(String(prefix.value))
  if (cidr === undefined)
    throw new ExpressionError(
      prefix.column,
      `${JSON.stringify(prefix.value)} is no prefix: expected one such as 10.0.0.0/8 or 2001:db8::/32`,
    )
  const set = new CidrSet([cidr])
  if (ip.kind === 'call' && ip.name === 'client_ip')
    return { type: 'bool', evaluate: (query) => set.has(query.address()) }
  const { call } = FUNCTIONS['incidr']!
  return { type: 'bool', evaluate: (query) => call(query, [given(query), prefix.value]) }
}

function checkUnary({ sign, inner }: Syntax & { readonly kind: 'unary' }): Checked {
  if (sign === '!') {
    const { evaluate } = expect(inner, 'bool', 'behind not')
    return { type: 'bool', evaluate: (query) => evaluate(query) !== true }
  }
  const { evaluate } = expect(inner, 'number', `behind ${sign}`)
  return { type: 'number', evaluate: sign === '-' ? (query) => -(evaluate(query) as number) : evaluate }
}

function checkBinary({ sign, left, right, column }: Syntax & { readonly kind: 'binary' }): Checked {
  switch (sign) {
    case '&&':
    case '||': {
      const one = expect(left, 'bool', `in front of ${sign}`).evaluate
      const other = expect(right, 'bool', `behind ${sign}`).evaluate
      return {
        type: 'bool',
        evaluate:
          sign === '&&'
            ? (query) => one(query) === true && other(query) === true
            : (query) => one(query) === true || other(query) === true,
      }
    }
    case '==':
    case '!=': {
      const [one, other] = alike(sign, left, right, column)
      if (one.type === 'array') throw new ExpressionError(column, 'lists are not compared: use in')
      const isSame: Evaluate = (query) => one.evaluate(query) === other.evaluate(query)
      return { type: 'bool', evaluate: sign === '==' ? isSame : (query) => isSame(query) !== true }
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return checkOrder(sign, left, right, column)
    case 'in':
      return checkIn(left, right)
    case 'contains':
    case 'startsWith':
    case 'endsWith': {
      const text = expect(left, 'string', `in front of ${sign}`).evaluate as (query: DnsQuery) => string
      const part = expect(right, 'string', `behind ${sign}`).evaluate as (query: DnsQuery) => string
      if (sign === 'contains') return { type: 'bool', evaluate: (query) => text(query).includes(part(query)) }
      return {
        type: 'bool',
        evaluate:
          sign === 'startsWith'
            ? (query) => text(query).startsWith(part(query))
            : (query) => text(query).endsWith(part(query)),
      }
    }
    case 'matches':
      return checkMatches(left, right)
    case '..':
      return checkRange(left, right, column)
    case '+': {
      const [one, other] = alike(sign, left, right, column)
      if (one.type !== 'number' && one.type !== 'string')
        throw new ExpressionError(column, `+ takes numbers or texts, not a ${one.type}`)
      return {
        type: one.type,
        evaluate: (query) => (one.evaluate(query) as number) + (other.evaluate(query) as number),
      }
    }
    default: {
      const one = expect(left, 'number', `in front of ${sign}`).evaluate as (query: DnsQuery) => number
      const other = expect(right, 'number', `behind ${sign}`).evaluate as (query: DnsQuery) => number
      const calculate = ARITHMETIC[sign]!
      return { type: 'number', evaluate: (query) => calculate(one(query), other(query)) }
    }
  }
}

const ARITHMETIC: Readonly<Record<string, (one: number, other: number) => number>> = {
  '-': (one, other) => one - other,
  '*': (one, other) => one * other,
  '/': (one, other) => one / other,
  '%': (one, other) => one % other,
  '**': (one, other) => one ** other,
}

function checkOrder(sign: string, left: Syntax, right: Syntax, column: number): Checked {
  const [one, other] = alike(sign, left, right, column)
  if (one.type !== 'number' && one.type !== 'string')
    throw new ExpressionError(column, `${sign} compares numbers or texts, not a ${one.type}`)
  const a = one.evaluate as (query: DnsQuery) => number
  const b = other.evaluate as (query: DnsQuery) => number
  if (sign === '<') return { type: 'bool', evaluate: (query) => a(query) < b(query) }
  if (sign === '<=') return { type: 'bool', evaluate: (query) => a(query) <= b(query) }
  if (sign === '>') return { type: 'bool', evaluate: (query) => a(query) > b(query) }
  return { type: 'bool', evaluate: (query) => a(query) >= b(query) }
}

function checkIn(left: Syntax, right: Syntax): Checked {
  const one = check(left)
  const list = expect(right, 'array', 'behind in')
  if (list.items !== undefined && list.items !== one.type)
    throw new ExpressionError(left.column, `a ${one.type} is in no list of ${list.items}s`)
  const { evaluate } = list
  if (isFixed(right)) {
    const known = new Set(evaluate(undefined as unknown as DnsQuery) as readonly Value[])
    return { type: 'bool', evaluate: (query) => known.has(one.evaluate(query)) }
  }
  return {
    type: 'bool',
    evaluate: (query) => (evaluate(query) as readonly Value[]).includes(one.evaluate(query)),
  }
}

/** Whether it asks nothing of the query. */
const isFixed = (syntax: Syntax): boolean =>
  syntax.kind === 'array' && syntax.items.every(({ kind }) => kind === 'literal')

function checkMatches(left: Syntax, right: Syntax): Checked {
  const text = expect(left, 'string', 'in front of matches').evaluate as (query: DnsQuery) => string
  if (right.kind !== 'literal' || typeof right.value !== 'string')
    throw new ExpressionError(right.column, 'expected a regular expression in quotes behind matches')
  try {
    const pattern = GoRegex.compile(right.value)
    return { type: 'bool', evaluate: (query) => pattern.test(text(query)) }
  } catch (error) {
    if (error instanceof GoRegexError) throw new ExpressionError(right.column, error.message)
    throw error
  }
}

function checkRange(left: Syntax, right: Syntax, column: number): Checked {
  expect(left, 'number', 'in front of ..')
  expect(right, 'number', 'behind ..')
  if (left.kind !== 'literal' || right.kind !== 'literal')
    throw new ExpressionError(column, 'a range goes from one number to another: compare with <= instead')
  const [first, last] = [Number(left.value), Number(right.value)]
  if (last - first >= RANGE_MAX)
    throw new ExpressionError(column, `a range has at most ${RANGE_MAX} numbers: compare with <= instead`)
  const numbers = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
  return { type: 'array', items: 'number', evaluate: () => numbers }
}

function expect(syntax: Syntax, type: Type, where: string): Checked {
  const checked = check(syntax)
  if (checked.type !== type)
    throw new ExpressionError(syntax.column, `this is a ${checked.type}: expected a ${type} ${where}`)
  return checked
}

/** Both sides, where they are of one type. */
function alike(sign: string, left: Syntax, right: Syntax, column: number): readonly [Checked, Checked] {
  const one = check(left)
  const other = check(right)
  if (one.type === other.type) return [one, other]
  const number = [left, right].find((side) => side.kind === 'literal' && typeof side.value === 'number')
  const hint =
    number?.kind === 'literal' && (one.type === 'string' || other.type === 'string')
      ? `: write '${number.value}' in quotes`
      : ''
  throw new ExpressionError(
    column,
    `invalid operation: ${sign} (mismatched types ${one.type} and ${other.type})${hint}`,
  )
}
