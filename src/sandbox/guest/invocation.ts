/**
 * One run of a unit for one request: what crossed for it, what it changed, and how far it is.
 *
 * Everything is read from the text when it is first asked for. The objects that the unit holds (`UnitRequest`,
 * `UnitResponse`, `Edge`) are thin and keep an Invocation in a private field; it is never handed out itself.
 */
import type { InvocationMeta } from '../protocol.ts'
import { PHASE_BITS } from '../../contract/unit.ts'
import {
  checkCacheKey,
  checkEndpoint,
  checkHost,
  checkMethod,
  checkPath,
  checkQuery,
  checkStatus,
  checkTtl,
  isFraming,
} from './fields.ts'
import {
  appendHeader,
  deleteHeader,
  getHeader,
  type HeaderOwner,
  HeaderStore,
  setHeader,
} from './header-store.ts'
import {
  charCodeAt,
  createObject,
  detached,
  indexOf,
  ObjectPrototype,
  parseJson,
  slice,
  startsWith,
  toLowerCase,
} from './primordials.ts'
import { setup } from './setup.ts'
import { stateJson } from './state.ts'
import { Piece } from './piece.ts'
import { type ParamsOwner, paramsOf, resetParams, type URLSearchParams } from './search-params.ts'

const { rewrite, access, content, origin, originResponse, headerFilter } = PHASE_BITS
/** The phases in which the request may be changed, and those in which headers of the response may. */
const REQUEST_PHASES = rewrite | access | origin
const RESPONSE_PHASES = rewrite | access | originResponse | headerFilter

export class Invocation implements HeaderOwner, ParamsOwner {
  readonly id: number
  /** The phases still to run. */
  phases: number
  /** The bit of the phase that runs. */
  phase = 0
  /** Settled or forgotten: nothing of it counts any more. */
  isClosed = false
  /** Its handler awaits, and the host was told so. */
  isPending = false

  readonly meta: string
  readonly head: string
  /** `STATUS\nname: value\r\n…`, or empty before there is a response. */
  readonly response: string
  /** What units before this one changed. */
  readonly earlier: string
  readonly body: string
  /** What follows the mark in `body`, where it crossed by itself. */
  readonly content: string | undefined

  private edits = ''
  private lineRead = false
  private methodText = ''
  private pathText = ''
  private queryText = ''
  private params: URLSearchParams | null = null
  private paramsChanged = false
  private requestStore: HeaderStore | null = null
  private responseStore: HeaderStore | null = null
  private statusCode = 0
  private chosenEndpoint: string | undefined = undefined
  private chosenTtl: number | undefined = undefined
  private chosenKey: string | undefined = undefined
  private metaValue: InvocationMeta | null = null
  private pieceValue: Piece | null = null
  private stateValue: object | null = null
  private stateText = ''

  constructor(
    id: number,
    phases: number,
    meta: string,
    head: string,
    response: string,
    earlier: string,
    body: string,
    content?: string,
  ) {
    this.id = id
    this.phases = phases
    this.meta = meta
    this.head = head
    this.response = response
    this.earlier = earlier
    this.body = body
    this.content = content
  }

  get method(): string {
    if (!this.lineRead) this.readLine()
    return this.methodText
  }

  set method(method: unknown) {
    this.allow(REQUEST_PHASES, 'request.method')
    const checked = checkMethod(method)
    if (!this.lineRead) this.readLine()
    this.methodText = checked
    this.edits += `m ${checked}\n`
  }

  get path(): string {
    if (!this.lineRead) this.readLine()
    return this.pathText
  }

  set path(path: unknown) {
    this.allow(REQUEST_PHASES, 'request.path')
    const checked = checkPath(path)
    if (!this.lineRead) this.readLine()
    this.pathText = checked
    this.edits += `p ${checked}\n`
  }

  /** As it stands in the request line, without `?`. */
  get queryString(): string {
    if (!this.lineRead) this.readLine()
    return this.paramsChanged ? this.params!.toString() : this.queryText
  }

  get query(): URLSearchParams {
    return (this.params ??= paramsOf(this, this.queryString))
  }

  set query(query: unknown) {
    this.allow(REQUEST_PHASES, 'request.query')
    const text = `${query as string}`
    this.queryText = checkQuery(startsWith(text, '?') ? slice(text, 1) : text)
    this.paramsChanged = false
    if (!this.lineRead) this.readLine()
    if (this.params !== null) resetParams(this.params, this.queryText)
    this.edits += `q ${this.queryText}\n`
  }

  /** The `Host` header: name and port. */
  get host(): string {
    return getHeader(this.requestHeaders, 'host') ?? ''
  }

  get url(): string {
    const query = this.queryString
    const scheme = this.metaJson.scheme ?? 'http'
    return detached(`${scheme}://${this.host}${this.path}${query === '' ? '' : `?${query}`}`)
  }

  get metaJson(): InvocationMeta {
    return (this.metaValue ??= this.meta === '' ? {} : (parseJson(this.meta) as InvocationMeta))
  }

  get requestHeaders(): HeaderStore {
    if (this.requestStore === null) {
      const lineEnd = indexOf(this.head, '\r\n')
      const from = lineEnd === -1 ? this.head.length : lineEnd + 2
      this.requestStore = this.withEarlier(new HeaderStore(this.head, from, true))
    }
    return this.requestStore
  }

  /** Of the response where there is one; else those staged for whatever will be sent. */
  get responseHeaders(): HeaderStore {
    if (this.responseStore === null) {
      const from = this.response === '' ? 0 : indexOf(this.response, '\n') + 1
      this.responseStore = this.withEarlier(new HeaderStore(this.response, from, false))
    }
    return this.responseStore
  }

  get status(): number {
    if (this.statusCode === 0) {
      this.statusCode = +slice(this.response, 0, indexOf(this.response, '\n'))
      eachEdit(this.earlier, (letter, rest) => {
        if (letter === 'S') this.statusCode = +rest
      })
    }
    return this.statusCode
  }

  set status(status: unknown) {
    this.allow(originResponse | headerFilter, 'response.status')
    this.statusCode = checkStatus(status)
    this.edits += `S ${this.statusCode}\n`
  }

  /** The endpoint that is to be asked; undefined where the edge chooses. */
  get endpoint(): string | undefined {
    if (this.chosenEndpoint === undefined) {
      eachEdit(this.earlier, (letter, rest) => {
        if (letter === 'e') this.chosenEndpoint = rest
      })
    }
    return this.chosenEndpoint
  }

  set endpoint(endpoint: unknown) {
    this.allow(origin, 'request.endpoint')
    this.chosenEndpoint = checkEndpoint(endpoint, this.metaJson.endpoints ?? [])
    this.edits += `e ${this.chosenEndpoint}\n`
  }

  /** Seconds for which the response will be fresh: as set, else as its headers say. */
  get ttl(): number | undefined {
    if (this.chosenTtl === undefined) {
      this.chosenTtl = this.metaJson.ttl
      eachEdit(this.earlier, (letter, rest) => {
        if (letter === 'T') this.chosenTtl = +rest
      })
    }
    return this.chosenTtl
  }

  set ttl(ttl: unknown) {
    this.allow(originResponse, 'response.ttl')
    this.chosenTtl = checkTtl(ttl)
    this.edits += `T ${this.chosenTtl}\n`
  }

  /** What the answer is kept under, as a unit said; undefined where none did. */
  get cacheKey(): string | undefined {
    if (this.chosenKey === undefined) {
      eachEdit(this.earlier, (letter, rest) => {
        if (letter === 'k') this.chosenKey = rest
      })
    }
    return this.chosenKey
  }

  set cacheKey(key: unknown) {
    this.allow(rewrite | access, 'edge.cacheKey')
    this.chosenKey = checkCacheKey(key)
    this.edits += `k ${this.chosenKey}\n`
  }

  /** In `bodyFilter`: the piece of the body that it is about. */
  get piece(): Piece {
    return (this.pieceValue ??= new Piece(this.body, this.content))
  }

  /** What this unit keeps of the request from run to run. */
  get state(): object {
    if (this.stateValue === null) {
      const mark = `${setup.unit.name} `
      eachEdit(this.earlier, (letter, rest) => {
        if (letter === 'z' && startsWith(rest, mark)) this.stateText = slice(rest, mark.length)
      })
      this.stateValue = (
        this.stateText === '' ? createObject(ObjectPrototype) : parseJson(this.stateText)
      ) as object
    }
    return this.stateValue
  }

  /** Whether handlers of the phase that runs may read the body. */
  get isContent(): boolean {
    return this.phase === content
  }

  headerChanges(
    ofRequest: boolean,
    kind: 'h' | 'a' | 'd',
    name: string,
    value: string,
    spelling: string,
  ): void {
    if (ofRequest) this.allow(REQUEST_PHASES, 'request.headers')
    else this.allow(RESPONSE_PHASES, 'response.headers')
    if (name === 'host' && this.phase === origin) checkHost(kind, value)
    else if (isFraming(name))
      throw new TypeError(`the header ${name} cannot be changed: it is the edge's own`)
    const letter = ofRequest ? kind : kind === 'a' ? 'A' : kind === 'h' ? 'H' : 'D'
    this.edits += kind === 'd' ? `${letter} ${name}\n` : `${letter} ${spelling}: ${value}\n`
  }

  queryChanges(): void {
    this.allow(REQUEST_PHASES, 'request.query')
  }

  queryChanged(): void {
    this.paramsChanged = true
  }

  /** What this run changed so far, whole: for its record. */
  takeEdits(): string {
    if (this.paramsChanged) {
      this.edits += `q ${this.params!.toString()}\n`
      this.paramsChanged = false
    }
    if (this.stateValue !== null) {
      const text = stateJson(this.stateValue)
      if (text !== this.stateText) {
        this.stateText = text
        this.edits += `z ${setup.unit.name} ${text}\n`
      }
    }
    return this.edits
  }

  private allow(phases: number, what: string): void {
    if (this.isClosed) throw new TypeError(`${what} cannot be changed: the unit has already answered`)
    if ((this.phase & phases) === 0)
      throw new TypeError(`${what} cannot be changed in ${phaseName(this.phase)}`)
  }

  private readLine(): void {
    this.lineRead = true
    const { head } = this
    const space = indexOf(head, ' ')
    const end = indexOf(head, ' ', space + 1)
    const mark = indexOf(head, '?', space + 1)
    this.methodText = slice(head, 0, space)
    if (mark === -1 || mark > end) {
      this.pathText = detached(slice(head, space + 1, end))
    } else {
      this.pathText = detached(slice(head, space + 1, mark))
      this.queryText = slice(head, mark + 1, end)
    }
    if (this.earlier === '') return
    eachEdit(this.earlier, (letter, rest) => {
      if (letter === 'm') this.methodText = rest
      else if (letter === 'p') this.pathText = detached(rest)
      else if (letter === 'q') this.queryText = rest
    })
  }

  private withEarlier(store: HeaderStore): HeaderStore {
    if (this.earlier !== '') {
      eachEdit(this.earlier, (letter, rest) => {
        const ofRequest = charCodeAt(letter, 0) >= 97
        if (ofRequest !== store.ofRequest) return
        if (letter === 'd' || letter === 'D') {
          deleteHeader(store, rest)
          return
        }
        const isSet = letter === 'h' || letter === 'H'
        if (!isSet && letter !== 'a' && letter !== 'A') return
        const colon = indexOf(rest, ': ')
        const spelling = detached(slice(rest, 0, colon))
        const value = detached(slice(rest, colon + 2))
        if (isSet) setHeader(store, toLowerCase(spelling), value, spelling)
        else appendHeader(store, toLowerCase(spelling), value, spelling)
      })
    }
    store.owner = this
    return store
  }
}

/** Lines of edits: a letter, a space, the rest. */
function eachEdit(edits: string, each: (letter: string, rest: string) => void): void {
  let at = 0
  while (at < edits.length) {
    const end = indexOf(edits, '\n', at)
    each(slice(edits, at, at + 1), slice(edits, at + 2, end))
    at = end + 1
  }
}

export function phaseName(bit: number): string {
  for (const name in PHASE_BITS) {
    if (PHASE_BITS[name as keyof typeof PHASE_BITS] === bit) return name
  }
  return 'no phase'
}
