/**
 * `structuredClone` (HTML §2.7), for values that live in one isolate: plain objects and arrays, maps, sets, dates, regular
 * expressions, errors, buffers and their views, with cycles kept. Nothing can be transferred.
 */
import { isBuffer } from './buffer-source.ts'
import { DOMException } from './dom-exception.ts'
import { errorParts, isError } from './errors.ts'
import {
  bufferSlice,
  dataViewBuffer,
  dataViewBytes,
  dataViewOffset,
  DateIntrinsic,
  dateTime,
  defineProperty,
  getOwnPropertyDescriptor,
  hasOwn,
  indexOf,
  isArray,
  isView,
  mapForEach,
  mapGet,
  MapIntrinsic,
  mapSet,
  objectKeys,
  objectToString,
  regExpFlags,
  RegExpIntrinsic,
  regExpSource,
  setAdd,
  setForEach,
  SetIntrinsic,
  slice,
  typedArrayName,
  viewBuffer,
  viewLength,
  viewOffset,
} from './primordials.ts'

type Seen = Map<object, object>

export function structuredClone<T>(value: T, options?: { readonly transfer?: readonly unknown[] }): T {
  if (options?.transfer !== undefined && options.transfer.length > 0) {
    throw new DOMException('nothing can be transferred inside a unit', 'DataCloneError')
  }
  return clone(value, new MapIntrinsic()) as T
}

const refuse = (what: string): never => {
  throw new DOMException(`${what} cannot be cloned`, 'DataCloneError')
}

function clone(value: unknown, seen: Seen): unknown {
  if (typeof value === 'symbol') refuse('a symbol')
  if (typeof value === 'function') refuse('a function')
  if (typeof value !== 'object' || value === null) return value
  const before = mapGet(seen, value)
  if (before !== undefined) return before
  if (isArray(value)) {
    const array: unknown[] = []
    array.length = value.length
    return cloneProperties(value, remember(seen, value, array), seen)
  }
  const tag = objectToString(value)
  return cloneTagged(value, tag, seen) ?? cloneProperties(value, remember(seen, value, {}), seen)
}

function remember<T extends object>(seen: Seen, from: object, to: T): T {
  mapSet(seen, from, to)
  return to
}

function define(on: object, key: string, value: unknown): void {
  const property = { __proto__: null, value, writable: true, enumerable: true, configurable: true }
  defineProperty(on, key, property as PropertyDescriptor)
}

/** Own enumerable properties with names; getters are read. */
function cloneProperties(from: object, to: object, seen: Seen): object {
  const keys = objectKeys(from)
  for (let i = 0; i < keys.length; i++)
    define(to, keys[i]!, clone((from as Record<string, unknown>)[keys[i]!], seen))
  return to
}

/** Objects that hold something no property shows, and cannot be cloned. The web's own are among them. */
const REFUSED =
  ' Promise WeakMap WeakSet WeakRef Generator AsyncGenerator Headers Request Response URL URLSearchParams Cookies Edge '

/** A built-in object, known by what it holds; null where it is none, whatever its tag says. */
function cloneTagged(value: object, tag: string, seen: Seen): object | null {
  if (isView(value)) return cloneView(value, seen)
  if (isBuffer(value)) return remember(seen, value, bufferSlice(value, 0))
  if (isError(value)) return cloneError(value, seen)
  try {
    switch (tag) {
      case '[object Date]':
        return remember(seen, value, new DateIntrinsic(dateTime(value as Date)))
      case '[object RegExp]':
        return remember(
          seen,
          value,
          new RegExpIntrinsic(regExpSource(value as RegExp), regExpFlags(value as RegExp)),
        )
      case '[object Map]':
        return cloneMap(value as Map<unknown, unknown>, seen)
      case '[object Set]':
        return cloneSet(value as Set<unknown>, seen)
    }
  } catch (error) {
    // A tag that lies: a plain object after all. What the content refuses stays refused.
    if (error instanceof DOMException) throw error
  }
  const name = slice(tag, 8, tag.length - 1)
  if (indexOf(REFUSED, ` ${name} `) !== -1) refuse(`a value of type ${name}`)
  return null
}

function cloneMap(from: Map<unknown, unknown>, seen: Seen): object {
  const to = remember(seen, from, new MapIntrinsic())
  mapForEach(from, (value, key) => mapSet(to, clone(key, seen), clone(value, seen)))
  return to
}

function cloneSet(from: Set<unknown>, seen: Seen): object {
  const to = remember(seen, from, new SetIntrinsic())
  setForEach(from, (value) => setAdd(to, clone(value, seen)))
  return to
}

type ViewConstructor = new (buffer: ArrayBuffer, offset: number, length?: number) => ArrayBufferView

const VIEWS: Readonly<Record<string, ViewConstructor>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
}

/** Views of one buffer stay views of one buffer. */
function cloneView(view: ArrayBufferView, seen: Seen): object {
  const name = typedArrayName(view)
  if (name === undefined) {
    const data = view as DataView
    const buffer = clone(dataViewBuffer(data), seen) as ArrayBuffer
    return remember(seen, view, new DataViewIntrinsic(buffer, dataViewOffset(data), dataViewBytes(data)))
  }
  if (!hasOwn(VIEWS, name)) return refuse(`a ${name}`)
  const buffer = clone(viewBuffer(view), seen) as ArrayBuffer
  return remember(seen, view, new VIEWS[name]!(buffer, viewOffset(view), viewLength(view)))
}

const DataViewIntrinsic = DataView

const ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

/** Name, message, stack and cause; what else was put on an error stays behind. */
function cloneError(from: Error, seen: Seen): object {
  const { name, message, stack } = errorParts(from)
  const to = remember(seen, from, new (hasOwn(ERRORS, name) ? ERRORS[name]! : Error)(message))
  defineProperty(to, 'stack', {
    __proto__: null,
    value: stack,
    writable: true,
    configurable: true,
  } as PropertyDescriptor)
  const cause = getOwnPropertyDescriptor(from, 'cause')
  if (cause !== undefined) {
    const value = clone(cause.value, seen)
    defineProperty(to, 'cause', {
      __proto__: null,
      value,
      writable: true,
      configurable: true,
    } as PropertyDescriptor)
  }
  return to
}
