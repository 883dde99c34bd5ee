/** `FormData` of the XHR standard: names with texts or files, in order. How it stands in a body is in `multipart.ts`. */
import { BlobBytes, blobContent, File, isBlob } from './blob.ts'
import { describe } from './fields.ts'
import { iterateEntries, iterateNames, iterateValues } from './iteration.ts'
import { iteratorSymbol, reflectApply, toStringTagSymbol, toWellFormed } from './primordials.ts'

export class FormEntry {
  readonly name: string
  value: string | File
  next: FormEntry | null = null

  constructor(name: string, value: string | File) {
    this.name = name
    this.value = value
  }
}

/** The first entry, or null. */
export let firstEntry: (form: FormData) => FormEntry | null
export let isFormData: (value: unknown) => value is FormData

export class FormData {
  #first: FormEntry | null = null
  #last: FormEntry | null = null

  constructor(form?: unknown) {
    if (form !== undefined) throw new TypeError('there are no forms of a page here: call new FormData()')
  }

  static {
    firstEntry = (form) => form.#first
    isFormData = (value): value is FormData => typeof value === 'object' && value !== null && #first in value
  }

  append(name: string, value: unknown, filename?: string): void {
    const entry = new FormEntry(toWellFormed(`${name}`), valueOf(value, filename))
    if (this.#last === null) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
  }

  set(name: string, value: unknown, filename?: string): void {
    const key = toWellFormed(`${name}`)
    const first = this.#find(key)
    if (first === null) {
      this.append(key, value, filename)
      return
    }
    first.value = valueOf(value, filename)
    this.#drop(first, key)
  }

  delete(name: string): void {
    const key = toWellFormed(`${name}`)
    const before = new FormEntry('', '')
    before.next = this.#first
    this.#drop(before, key)
    this.#first = before.next
    if (this.#first === null) this.#last = null
  }

  get(name: string): string | File | null {
    return this.#find(toWellFormed(`${name}`))?.value ?? null
  }

  getAll(name: string): (string | File)[] {
    const key = toWellFormed(`${name}`)
    const all: (string | File)[] = []
    for (let entry = this.#first; entry !== null; entry = entry.next) {
      if (entry.name === key) all[all.length] = entry.value
    }
    return all
  }

  has(name: string): boolean {
    return this.#find(toWellFormed(`${name}`)) !== null
  }

  forEach(each: (value: string | File, name: string, form: FormData) => void, self?: unknown): void {
    for (let entry = this.#first; entry !== null; entry = entry.next) {
      reflectApply(each, self, [entry.value, entry.name, this])
    }
  }

  keys(): IteratorObject<string> {
    return iterateNames(this.#first)
  }

  values(): IteratorObject<string | File> {
    return iterateValues(this.#first)
  }

  entries(): IteratorObject<[string, string | File]> {
    return iterateEntries(this.#first)
  }

  [iteratorSymbol](): IteratorObject<[string, string | File]> {
    return iterateEntries(this.#first)
  }

  #find(name: string): FormEntry | null {
    for (let entry = this.#first; entry !== null; entry = entry.next) if (entry.name === name) return entry
    return null
  }

  /** Removes those of that name behind `from`. */
  #drop(from: FormEntry, name: string): void {
    let before = from
    while (before.next !== null) {
      if (before.next.name === name) before.next = before.next.next
      else before = before.next
    }
    this.#last = before
  }

  get [toStringTagSymbol](): string {
    return 'FormData'
  }
}

/** Text, or a file: a `Blob` becomes one, named `blob` where no name is given. */
function valueOf(value: unknown, filename: string | undefined): string | File {
  if (!isBlob(value)) {
    if (filename !== undefined)
      throw new TypeError(`a file name goes with a Blob or File, not with ${describe(value)}`)
    return toWellFormed(`${value as string}`)
  }
  if (value instanceof File && filename === undefined) return value
  const name = filename ?? 'blob'
  const lastModified = value instanceof File ? { lastModified: value.lastModified } : {}
  return new File(new BlobBytes(blobContent(value)), name, { type: value.type, ...lastModified })
}

/** Is it a file's value, and not a text? */
export const isFile = (value: string | File): value is File => typeof value !== 'string'
