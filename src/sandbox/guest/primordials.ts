/**
 * The built-ins the guest uses, taken before the unit's first line runs.
 *
 * A unit shares its context with this code, so it can replace `String.prototype.indexOf` or put a setter on
 * `Object.prototype`. Whatever parses requests or writes records must not notice. Hence the rules of this folder:
 *
 * - methods of built-ins are called through the names here, never as `text.indexOf(…)`;
 * - objects of ours declare all their fields, so an assignment never reaches a setter on a prototype;
 * - lists that matter are linked nodes: `push` and `for…of` look at prototypes, `node.next` does not;
 * - what the unit holds keeps its insides in `#private` fields.
 *
 * Measured in V8 of Node 26: a call through `uncurry` costs no more than a method call once it is compiled.
 */

/** `uncurry(String.prototype.slice)(text, 1)` is `text.slice(1)`, whatever becomes of `String.prototype`. */
const uncurry = Function.prototype.bind.bind(Function.prototype.call) as (method: unknown) => never
const getter = (prototype: object, name: PropertyKey): never =>
  uncurry(Object.getOwnPropertyDescriptor(prototype, name)!.get)

export const charCodeAt: (text: string, index: number) => number = uncurry(String.prototype.charCodeAt)
export const codePointAt: (text: string, index: number) => number = uncurry(String.prototype.codePointAt)
export const indexOf: (text: string, part: string, from?: number) => number = uncurry(
  String.prototype.indexOf,
)
export const lastIndexOf: (text: string, part: string) => number = uncurry(String.prototype.lastIndexOf)
export const slice: (text: string, from: number, to?: number) => string = uncurry(String.prototype.slice)

/**
 * The same text, in memory of its own. A slice keeps alive what it was cut from: one token that a unit remembers would
 * keep the whole batch it came with. V8 copies slices of up to 12 characters anyway.
 */
export const detached = (text: string): string => (text.length <= 12 ? text : slice(` ${text}`, 1))

export const startsWith: (text: string, part: string, at?: number) => boolean = uncurry(
  String.prototype.startsWith,
)
export const endsWith: (text: string, part: string) => boolean = uncurry(String.prototype.endsWith)
export const toLowerCase: (text: string) => string = uncurry(String.prototype.toLowerCase)
export const toUpperCase: (text: string) => string = uncurry(String.prototype.toUpperCase)
export const toWellFormed: (text: string) => string = uncurry(String.prototype.toWellFormed)
export const padStart: (text: string, length: number, fill: string) => string = uncurry(
  String.prototype.padStart,
)
export const repeat: (text: string, times: number) => string = uncurry(String.prototype.repeat)
export const fromCharCode = String.fromCharCode
export const fromCodePoint = String.fromCodePoint
export const numberToString: (value: number, radix?: number) => string = uncurry(Number.prototype.toString)
export const toFixed: (value: number, digits: number) => string = uncurry(Number.prototype.toFixed)

export const {
  apply: reflectApply,
  ownKeys,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  deleteProperty,
} = Reflect
export const { defineProperty, freeze, keys: objectKeys, create: createObject } = Object
export const objectToString: (value: unknown) => string = uncurry(Object.prototype.toString)
export const ObjectPrototype = Object.prototype
export const hasOwn = Object.hasOwn
export const isArray = Array.isArray
export const { parse: parseJson, stringify: stringifyJson } = JSON
export const { now } = Date
export const { floor, min, max, trunc } = Math
export const { isInteger, isFinite } = Number

export const PromiseIntrinsic = Promise
export const iteratorSymbol: typeof Symbol.iterator = Symbol.iterator
export const toStringTagSymbol: typeof Symbol.toStringTag = Symbol.toStringTag
export const symbolToString: (value: symbol) => string = uncurry(Symbol.prototype.toString)
export const functionToString: (value: unknown) => string = uncurry(Function.prototype.toString)

export const MapIntrinsic = Map
export const mapGet: <K, V>(map: Map<K, V>, key: K) => V | undefined = uncurry(Map.prototype.get)
export const mapSet: <K, V>(map: Map<K, V>, key: K, value: V) => void = uncurry(Map.prototype.set)
export const mapHas: <K, V>(map: Map<K, V>, key: K) => boolean = uncurry(Map.prototype.has)
export const mapDelete: <K, V>(map: Map<K, V>, key: K) => boolean = uncurry(Map.prototype.delete)
export const mapSize: (map: Map<unknown, unknown>) => number = getter(Map.prototype, 'size')
export const mapForEach: <K, V>(map: Map<K, V>, each: (value: V, key: K) => void) => void = uncurry(
  Map.prototype.forEach,
)
export const SetIntrinsic = Set
export const setAdd: <T>(set: Set<T>, value: T) => void = uncurry(Set.prototype.add)
export const setSize: (set: Set<unknown>) => number = getter(Set.prototype, 'size')
export const setForEach: <T>(set: Set<T>, each: (value: T) => void) => void = uncurry(Set.prototype.forEach)

export const WeakMapIntrinsic = WeakMap
export const weakMapGet: <K extends object, V>(map: WeakMap<K, V>, key: K) => V | undefined = uncurry(
  WeakMap.prototype.get,
)
export const weakMapSet: <K extends object, V>(map: WeakMap<K, V>, key: K, value: V) => void = uncurry(
  WeakMap.prototype.set,
)

export const DateIntrinsic = Date
export const dateTime: (date: Date) => number = uncurry(Date.prototype.getTime)
export const dateToIso: (date: Date) => string = uncurry(Date.prototype.toISOString)
export const RegExpIntrinsic = RegExp
export const regExpSource: (value: RegExp) => string = getter(RegExp.prototype, 'source')
export const regExpFlags: (value: RegExp) => string = getter(RegExp.prototype, 'flags')

const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object
export const Bytes = Uint8Array
export const Words = Uint32Array
export const BufferIntrinsic = ArrayBuffer
export const isView = ArrayBuffer.isView
/** `Uint8Array`… or undefined where the value is none: also the brand check of typed arrays. */
export const typedArrayName: (value: unknown) => string | undefined = getter(
  typedArrayPrototype,
  Symbol.toStringTag,
)
export const viewBuffer: (view: ArrayBufferView) => ArrayBuffer = getter(typedArrayPrototype, 'buffer')
export const viewOffset: (view: ArrayBufferView) => number = getter(typedArrayPrototype, 'byteOffset')
export const viewBytes: (view: ArrayBufferView) => number = getter(typedArrayPrototype, 'byteLength')
export const viewLength: (view: ArrayBufferView) => number = getter(typedArrayPrototype, 'length')
export const dataViewBuffer: (view: DataView) => ArrayBuffer = getter(DataView.prototype, 'buffer')
export const dataViewOffset: (view: DataView) => number = getter(DataView.prototype, 'byteOffset')
export const dataViewBytes: (view: DataView) => number = getter(DataView.prototype, 'byteLength')
/** Throws for what is no ArrayBuffer. */
export const bufferBytes: (buffer: ArrayBuffer) => number = getter(ArrayBuffer.prototype, 'byteLength')
export const bufferSlice: (buffer: ArrayBuffer, from: number, to?: number) => ArrayBuffer = uncurry(
  ArrayBuffer.prototype.slice,
)
export const setBytes: (into: Uint8Array, from: Uint8Array, at?: number) => void = uncurry(
  Uint8Array.prototype.set,
)
/** Of Uint8Array, in native code. Throws where the text is no base64. */
export const bytesFromBase64 = (Uint8Array as unknown as Base64Maker).fromBase64
export const bytesToBase64: (bytes: Uint8Array) => string = uncurry(
  (Uint8Array.prototype as unknown as Base64Bytes).toBase64,
)

interface Base64Maker {
  readonly fromBase64: (text: string) => Uint8Array<ArrayBuffer>
}
interface Base64Bytes {
  readonly toBase64: () => string
}

export const subarray: (bytes: Uint8Array, from: number, to?: number) => Uint8Array<ArrayBuffer> = uncurry(
  Uint8Array.prototype.subarray,
)
