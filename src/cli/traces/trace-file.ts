/** Traces and access logs out of files: which format they have, what is in them, and which lines were of no use. */
import type { Readable } from 'node:stream'
import { EdgeError } from '../../base/errors.ts'
import { type Trace, TraceBuilder, type TraceLimits } from '../../cache/sim/trace.ts'
import { BAD, csvLines, keyLines, type LineFormat } from '../../cache/sim/trace-lines.ts'
import { commonLogLines, jsonLogLines, type LogFilter, type LoggedHits } from './access-log-lines.ts'
import { type ByteSource, LINE_LENGTH_MAX, lineBatches, openBytes } from './line-batches.ts'
import { oracleRecords } from './oracle-records.ts'

export const FORMATS = ['keys', 'csv', 'json', 'common', 'combined', 'oracle-general'] as const
export type FormatName = (typeof FORMATS)[number]

export interface TraceOptions {
  /** Where paths count from. */
  readonly cwd: string
  readonly limits: TraceLimits
  /** Undefined: found out by the first lines. */
  readonly format?: FormatName | undefined
  /** Of CSV without a heading. */
  readonly columns?: readonly string[] | undefined
  readonly filter?: LogFilter | undefined
  readonly stdin?: Readable
  /** Called after each batch of lines with the bytes of this file so far, and all where that is known. */
  readonly onProgress?: (name: string, bytes: number, of: number | undefined) => void
}

export interface BadLines {
  count: number
  /** The first one. */
  first: { readonly file: string; readonly line: number; readonly text: string } | undefined
}

export interface TraceReading {
  readonly trace: Trace
  readonly format: FormatName
  readonly lines: number
  readonly bad: BadLines
  /** Lines that were put aside, by why. */
  readonly aside: ReadonlyMap<string, number>
  /** What the log itself says of its cache. */
  readonly logged: LoggedHits
}

/** Lines that the format is found out by. */
const SAMPLE_LINES = 50

/** Reads the files one after the other, as one trace; `-` is standard input. Throws where there is nothing of use in them. */
export async function readTrace(paths: readonly string[], options: TraceOptions): Promise<TraceReading> {
  const reader = new TraceReader(options)
  for (const path of paths) {
    await reader.read(await openBytes(path, options.cwd, options.stdin ?? process.stdin), options.onProgress)
  }
  return reader.result()
}

class TraceReader {
  readonly #options: TraceOptions
  readonly #builder: TraceBuilder
  readonly #bad: BadLines = { count: 0, first: undefined }
  readonly #aside = new Map<string, number>()
  readonly #logged: LoggedHits = { asked: 0, hits: 0 }
  #format: FormatName | undefined
  #expected = ''
  #names: string[] = []
  #lines = 0

  constructor(options: TraceOptions) {
    this.#options = options
    this.#builder = new TraceBuilder(options.limits)
  }

  async read(source: ByteSource, onProgress: TraceOptions['onProgress']): Promise<void> {
    const { name, size, bytesRead, chunks } = source
    this.#names.push(name)
    const { format } = this.#options
    const isOracle = format === 'oracle-general' || (format === undefined && /oraclegeneral/i.test(name))
    if (isOracle) return this.#readRecords(source, onProgress)
    let lineFormat = format && this.#formats()[format]()
    let line = 0
    for await (const batch of lineBatches(chunks)) {
      if (lineFormat === undefined && batch.length > 0) lineFormat = this.#formatOf(batch)
      for (const text of batch) {
        line += 1
        this.#take(lineFormat!, text, name, line)
      }
      onProgress?.(name, bytesRead(), size)
    }
    this.#lines += line
    if (lineFormat === undefined) return
    this.#format ??= lineFormat.name as FormatName
    this.#expected = lineFormat.expected
  }

  async #readRecords({ name, size, bytesRead, chunks }: ByteSource, onProgress: TraceOptions['onProgress']) {
    this.#format ??= 'oracle-general'
    this.#expected = 'records of 24 bytes'
    for await (const { key, bytes } of oracleRecords(chunks)) {
      this.#lines += 1
      this.#builder.add(key, bytes)
      if (this.#lines % 10_000 === 0) onProgress?.(name, bytesRead(), size)
    }
  }

  #take(format: LineFormat, text: string, file: string, line: number): void {
    const read = text.length < LINE_LENGTH_MAX ? format.read(text) : BAD
    switch (read.kind) {
      case 'request':
        this.#builder.add(read.key, read.bytes)
        break
      case 'aside':
        this.#aside.set(read.why, (this.#aside.get(read.why) ?? 0) + 1)
        break
      case 'bad':
        this.#bad.count += 1
        this.#bad.first ??= { file, line, text: shown(text) }
        break
      case 'silent':
        break
    }
  }

  #formats(): Readonly<Record<Exclude<FormatName, 'oracle-general'>, () => LineFormat>> {
    const { filter = {}, columns } = this.#options
    return {
      json: () => jsonLogLines(filter, this.#logged),
      common: () => commonLogLines(filter, this.#logged),
      combined: () => commonLogLines(filter, this.#logged),
      csv: () => csvLines(columns),
      keys: () => keyLines(),
    }
  }

  /** The one that makes sense of most of the first lines; the earlier of those that make sense of as many. */
  #formatOf(batch: readonly string[]): LineFormat {
    const formats = this.#formats()
    if (this.#options.columns !== undefined) return formats.csv()
    const sample = batch.slice(0, SAMPLE_LINES)
    // What the trial notes of hits and headings is not kept: the lines are read again.
    const makes = [
      () => jsonLogLines({}, { asked: 0, hits: 0 }),
      () => commonLogLines({}, { asked: 0, hits: 0 }),
      formats.csv,
      formats.keys,
    ]
    const scores = makes.map((make) => {
      const format = make()
      return { name: format.name, score: sample.filter((line) => isUse(format, line)).length }
    })
    const best = scores.reduce((best, other) => (other.score > best.score ? other : best))
    const name = best.score === 0 ? 'keys' : (best.name as keyof typeof formats)
    return formats[name]()
  }

  result(): TraceReading {
    const trace = this.#builder.build()
    if (trace.requestsSeen === 0) throw this.#useless()
    return {
      trace,
      format: this.#format!,
      lines: this.#lines,
      bad: this.#bad,
      aside: this.#aside,
      logged: this.#logged,
    }
  }

  #useless(): EdgeError {
    const { first } = this.#bad
    const names = this.#names.join(', ')
    if (first !== undefined)
      return new EdgeError(
        'trace-useless',
        `${first.file}:${first.line}: "${first.text}" is no line of a trace, nor is any other of ${this.#bad.count}`,
        { hint: `expected ${this.#expected}; --format names another format` },
      )
    const why = [...this.#aside].map(([reason, count]) => `${count} ${reason}`).join(', ')
    return new EdgeError(
      'trace-useless',
      why === '' ? `${names}: it is empty` : `${names}: no request that a cache could answer: ${why}`,
    )
  }
}

const isUse = (format: LineFormat, line: string): boolean =>
  line.trim() !== '' && line.length < LINE_LENGTH_MAX && format.read(line).kind !== 'bad'

const SHOWN_MAX = 80

/** A line for people: as UTF-8, without what a terminal would act on, not endless. */
function shown(line: string): string {
  const text = Buffer.from(line.slice(0, SHOWN_MAX), 'latin1').toString('utf8')
  const plain = text.replaceAll(/\p{C}/gu, '�')
  return line.length > SHOWN_MAX ? `${plain}…` : plain
}
