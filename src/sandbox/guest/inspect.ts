/**
 * A value as text for a log line: what Node's `util.inspect` prints, in short.
 *
 * Bounded in depth and in entries, since it runs on whatever a unit throws or logs. It may call the unit's code (a getter,
 * a proxy); what that throws is part of the text.
 */
import { describe, isToken } from './fields.ts'
import {
  dateTime,
  dateToIso,
  indexOf,
  functionToString,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  mapForEach,
  mapSize,
  objectKeys,
  regExpFlags,
  regExpSource,
  setForEach,
  setSize,
  startsWith,
  stringifyJson,
  symbolToString,
  typedArrayName,
  viewLength,
} from './primordials.ts'
import { errorText, isError } from './errors.ts'

const DEPTH_MAX = 3
const ENTRIES_MAX = 50

export function inspect(value: unknown): string {
  try {
    return inspectAt(value, 0)
  } catch {
    return describe(value)
  }
}

function inspectAt(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return depth === 0 ? value : stringifyJson(value)
    case 'bigint':
      return `${value}n`
    case 'symbol':
      return symbolToString(value)
    case 'function':
      return `[${startsWith(functionToString(value), 'class') ? 'class' : 'Function'} ${nameOf(value) || '(anonymous)'}]`
    case 'object':
      return value === null ? 'null' : inspectObject(value, depth)
    default:
      return `${value as number}`
  }
}

function inspectObject(value: object, depth: number): string {
  if (isError(value)) return errorText(value)
  const special = inspectSpecial(value, depth)
  if (special !== null) return special
  if (isArray(value)) {
    return depth >= DEPTH_MAX
      ? '[Array]'
      : list('[', ']', value.length, (i) => inspectAt(value[i], depth + 1))
  }
  const prefix = classPrefix(value)
  if (depth >= DEPTH_MAX) return `[${prefix || 'Object '}]`
  const keys = objectKeys(value)
  if (keys.length === 0) return `${prefix}{}`
  return (
    prefix +
    list('{ ', ' }', keys.length, (i) => `${keyText(keys[i]!)}: ${propertyText(value, keys[i]!, depth)}`)
  )
}

function list(open: string, close: string, length: number, each: (index: number) => string): string {
  let text = open
  for (let i = 0; i < length && i < ENTRIES_MAX; i++) text += (i === 0 ? '' : ', ') + each(i)
  return text + (length > ENTRIES_MAX ? `, … ${length - ENTRIES_MAX} more` : '') + close
}

/** Getters are not run: they may do anything. */
function propertyText(value: object, key: string, depth: number): string {
  const property = getOwnPropertyDescriptor(value, key)
  if (property === undefined) return 'undefined'
  return property.get !== undefined || property.set !== undefined
    ? '[Getter]'
    : inspectAt(property.value, depth + 1)
}

const keyText = (key: string): string => (isToken(key) && indexOf(key, '-') === -1 ? key : stringifyJson(key))

/** Dates, regular expressions, maps, sets and typed arrays: known by what they hold, not by their prototypes. */
function inspectSpecial(value: object, depth: number): string | null {
  const typed = typedArrayName(value)
  if (typed !== undefined) {
    const bytes = value as Uint8Array
    const length = viewLength(bytes)
    return `${typed}(${length}) ${list('[ ', ' ]', length, (i) => `${bytes[i]}`)}`
  }
  return (
    attempt(() => dateText(value as Date)) ??
    attempt(() => mapText(value as Map<unknown, unknown>, depth)) ??
    attempt(() => setText(value as Set<unknown>, depth)) ??
    attempt(() => regExpText(value as RegExp))
  )
}

/** The text, or null where the built-in says that the value is none of its kind. */
function attempt(read: () => string): string | null {
  try {
    return read()
  } catch {
    return null
  }
}

function dateText(date: Date): string {
  const time = dateTime(date)
  return time === time ? dateToIso(date) : 'Invalid Date'
}

function mapText(map: Map<unknown, unknown>, depth: number): string {
  let text = ''
  let count = 0
  const size = mapSize(map)
  mapForEach(map, (value, key) => {
    if (count++ >= ENTRIES_MAX) return
    text += `${text === '' ? '' : ', '}${inspectAt(key, depth + 1)} => ${inspectAt(value, depth + 1)}`
  })
  return `Map(${size}) {${text === '' ? '' : ` ${text} `}}`
}

function setText(set: Set<unknown>, depth: number): string {
  let text = ''
  let count = 0
  const size = setSize(set)
  setForEach(set, (value) => {
    if (count++ < ENTRIES_MAX) text += (text === '' ? '' : ', ') + inspectAt(value, depth + 1)
  })
  return `Set(${size}) {${text === '' ? '' : ` ${text} `}}`
}

function regExpText(value: RegExp): string {
  // `source` of `RegExp.prototype` itself is "(?:)"; every other object that is no RegExp throws.
  return `/${regExpSource(value)}/${regExpFlags(value)}`
}

/** `Headers ` for what is no plain object. */
function classPrefix(value: object): string {
  const prototype = getPrototypeOf(value)
  if (prototype === null) return '[Object: null prototype] '
  const constructor = getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown
  const name = typeof constructor === 'function' ? nameOf(constructor) : ''
  return name === '' || name === 'Object' ? '' : `${name} `
}

function nameOf(value: object): string {
  const name = getOwnPropertyDescriptor(value, 'name')?.value as unknown
  return typeof name === 'string' ? name : ''
}
