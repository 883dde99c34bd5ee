/**
 * Type-checks units with a TypeScript language service that stays warm: the libraries are parsed once, and a unit costs
 * some milliseconds.
 *
 * The service sees three things: the libraries of ECMAScript, the declaration files of a unit's world, and the files
 * that were sent. Nothing else of the disk exists for it.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { placeOf } from '../base/excerpt.ts'
import { plainView, viewEntry, type EntryView } from './entry-view.ts'
import { isTestFile, resolveImport, SUITE, type Files } from './module-paths.ts'
import type { Problem } from './protocol.ts'
import { shapeProblems } from './shape.ts'

/** Where units seem to lie. The slash keeps them apart from real files in messages as in look-ups. */
const UNIT = '/unit/'
const TYPES = '/orla/'
const LIBRARIES = dirname(ts.getDefaultLibFilePath({}))

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  lib: ['lib.esnext.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  customConditions: ['workerd', 'worker', 'browser'],
  moduleDetection: ts.ModuleDetectionKind.Force,
  paths: { orla: [`${TYPES}orla.d.ts`], [SUITE]: [`${TYPES}test.d.ts`] },
  types: [],
  strict: true,
  // Handlers get their types from `Unit`; a helper without annotations should not stop a deploy.
  noImplicitAny: false,
  useUnknownInCatchVariables: false,
  noEmit: true,
  allowJs: true,
  checkJs: false,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  esModuleInterop: true,
  jsx: ts.JsxEmit.ReactJSX,
  skipLibCheck: true,
}

export interface UnitTypes {
  /** What `orla` exports: `orla.d.ts`. */
  readonly orla: string
  /** The global names of a unit: `globals.d.ts`. */
  readonly globals: string
  /** What `orla/test` exports: `test.d.ts`. */
  readonly test: string
}

/** Reads the declaration files. */
export function readUnitTypes(directory: string): UnitTypes {
  const read = (name: string) => readFileSync(join(directory, name), 'utf8')
  return { orla: read('orla.d.ts'), globals: read('globals.d.ts'), test: read('test.d.ts') }
}

export interface Checked {
  readonly problems: readonly Problem[]
  /** The text could not be parsed: whatever else is told about it is a guess. */
  readonly isBroken: boolean
}

/**
 * "Cannot find module", or a name of Node: TypeScript's advice to install types is for projects on a disk.
 */
const UNRESOLVED: ReadonlySet<number> = new Set([2307, 2580, 2591, 2792, 2882])

interface Version {
  readonly text: string
  readonly number: string
}

export class TypeCheck {
  readonly #declarations: UnitTypes
  readonly #nullChecks: boolean
  /** Reads a unit again without null checks; made with the first unit that has errors. */
  #lenient: TypeCheck | undefined
  readonly #types: ReadonlyMap<string, string>
  readonly #service: ts.LanguageService
  /** The text of each path that was ever asked for, and a number that changes with it. */
  #versions = new Map<string, Version>()
  #counter = 0
  /** Of the last check. */
  #paths = ''
  #files: Files = new Map()
  #entry = ''
  #view: EntryView = viewEntry('', '')

  /**
   * An error that only null checks see ("possibly null") is told as a warning: it may be a slip, and much code that works has
   * it.
   */
  constructor(types: UnitTypes, nullChecks = true) {
    this.#declarations = types
    this.#nullChecks = nullChecks
    this.#types = new Map([
      [`${TYPES}orla.d.ts`, types.orla],
      [`${TYPES}globals.d.ts`, types.globals],
      [`${TYPES}test.d.ts`, types.test],
    ])
    this.#service = ts.createLanguageService(this.#host(), ts.createDocumentRegistry())
  }

  check(files: Files, entry: string): Checked {
    this.#files = files
    this.#entry = UNIT + entry
    const text = files.get(entry) ?? ''
    // Tests are a module like any other: their default export, if they have one, is no unit.
    this.#view = isTestFile(entry) ? plainView(text) : viewEntry(entry, text)
    // Old texts only make the map grow; a path that comes again gets a new number by its text.
    this.#versions = new Map([...this.#versions].filter(([path]) => files.has(path.slice(UNIT.length))))
    // An import that led nowhere is looked up again only where its importer is another version.
    const paths = [...files.keys()].toSorted().join('\n')
    if (paths !== this.#paths) this.#versions.clear()
    this.#paths = paths
    const program = this.#service.getProgram()
    if (!program) return { problems: [], isBroken: false }
    const own = program
      .getSourceFiles()
      .map(({ fileName }) => fileName)
      .filter((path) => path.startsWith(UNIT) && !path.includes('/node_modules/'))

    const broken = own.flatMap((path) => this.#service.getSyntacticDiagnostics(path))
    if (broken.length > 0) return { problems: this.#problemsOf(broken), isBroken: true }
    const found = this.#problemsOf(own.flatMap((path) => this.#service.getSemanticDiagnostics(path)))
    const problems = found.length > 0 && this.#nullChecks ? this.#withWarnings(found, files, entry) : found
    if (problems.some(({ severity }) => severity === 'error') || isTestFile(entry))
      return { problems, isBroken: false }
    const placeOf = (offset: number) => this.#placeOf(this.#entry, offset)
    return { problems: [...problems, ...shapeProblems(program, this.#entry, placeOf)], isBroken: false }
  }

  /** What is no error any more without null checks is a warning. */
  #withWarnings(problems: readonly Problem[], files: Files, entry: string): Problem[] {
    this.#lenient ??= new TypeCheck(this.#declarations, false)
    const place = ({ file, line, column }: Problem) => `${file}:${line}:${column}`
    const errors = new Set(this.#lenient.check(files, entry).problems.map(place))
    return problems.map((problem) =>
      errors.has(place(problem))
        ? problem
        : { ...problem, message: problem.message.replace(/^error /, ''), severity: 'warning' },
    )
  }

  #problemsOf(diagnostics: readonly ts.Diagnostic[]): Problem[] {
    return diagnostics
      .filter(({ category }) => category === ts.DiagnosticCategory.Error)
      .map((diagnostic) => ({
        ...(diagnostic.file ? this.#placeOf(diagnostic.file.fileName, diagnostic.start ?? 0) : {}),
        message: this.#messageOf(diagnostic),
        severity: 'error',
      }))
  }

  #messageOf({ code, file, start = 0, length = 0, messageText }: ts.Diagnostic): string {
    if (file && UNRESOLVED.has(code)) {
      const word = file.text.slice(start, start + length)
      const quoted = /^(['"`])(.*)\1$/.exec(word)?.[2]
      if (quoted === undefined)
        return `error TS${code}: ${word} belongs to Node: a unit has the web's globals alone`
      const found = resolveImport(this.#files, file.fileName.slice(UNIT.length), quoted, false)
      if (found.kind === 'problem') return found.message
    }
    return `error TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n').replaceAll(UNIT, '')}`
  }

  /** An offset in what the service sees as a place in what the author wrote. */
  #placeOf(fileName: string, offset: number): { file: string; line: number; column: number } {
    const file = fileName.slice(UNIT.length)
    const at = fileName === this.#entry ? this.#view.toSource(offset) : offset
    return { file, ...placeOf(this.#files.get(file) ?? '', at) }
  }

  #textOf(path: string): string | undefined {
    if (path === this.#entry) return this.#view.text
    if (path.startsWith(UNIT)) return this.#files.get(path.slice(UNIT.length))
    return this.#types.get(path) ?? (path.startsWith(LIBRARIES) ? ts.sys.readFile(path) : undefined)
  }

  #exists(path: string): boolean {
    if (path.startsWith(UNIT)) return this.#files.has(path.slice(UNIT.length))
    return this.#types.has(path) || (path.startsWith(LIBRARIES) && ts.sys.fileExists(path))
  }

  #version(path: string): string {
    // Libraries and the unit's world do not change while the process lives.
    if (!path.startsWith(UNIT)) return '1'
    const text = this.#textOf(path) ?? ''
    const before = this.#versions.get(path)
    if (before?.text === text) return before.number
    const number = String(++this.#counter)
    this.#versions.set(path, { text, number })
    return number
  }

  #host(): ts.LanguageServiceHost {
    const snapshots = new Map<string, ts.IScriptSnapshot>()
    return {
      getCompilationSettings: () => ({ ...OPTIONS, strictNullChecks: this.#nullChecks }),
      getCurrentDirectory: () => UNIT,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      getScriptFileNames: () => [...this.#types.keys(), ...(this.#entry === '' ? [] : [this.#entry])],
      getScriptVersion: (path) => this.#version(path),
      getScriptSnapshot: (path) => {
        const kept = snapshots.get(path)
        if (kept) return kept
        const text = this.#textOf(path)
        if (text === undefined) return undefined
        const snapshot = ts.ScriptSnapshot.fromString(text)
        if (!path.startsWith(UNIT)) snapshots.set(path, snapshot)
        return snapshot
      },
      fileExists: (path) => this.#exists(path),
      readFile: (path) => this.#textOf(path),
      directoryExists: (path) => this.#hasFolder(path),
      getDirectories: () => [],
      useCaseSensitiveFileNames: () => true,
    }
  }

  #hasFolder(path: string): boolean {
    const prefix = path.endsWith('/') ? path : `${path}/`
    if (UNIT.startsWith(prefix)) return true
    if (!prefix.startsWith(UNIT)) return LIBRARIES.startsWith(path)
    for (const file of this.#files.keys()) if ((UNIT + file).startsWith(prefix)) return true
    return false
  }
}
