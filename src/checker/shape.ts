/**
 * What types let pass and a unit still may not be: a default export without a handler, or an `import()` of a path that is
 * only known when it runs.
 */
import ts from 'typescript'
import { PHASES } from '../contract/unit.ts'
import type { Problem } from './protocol.ts'

const HANDLERS: ReadonlySet<string> = new Set([...PHASES, 'fetch'])

type Place = (offset: number) => { readonly file: string; readonly line: number; readonly column: number }

/** `entry` is a path of the program. Called for code without other problems. */
export function shapeProblems(program: ts.Program, entry: string, placeOf: Place): Problem[] {
  const file = program.getSourceFile(entry)
  if (!file) return []
  const problem = (node: ts.Node | undefined, message: string): Problem => ({
    ...placeOf(node?.getStart(file) ?? 0),
    message,
    severity: 'error',
  })
  const computed = computedImports(file).map((node) =>
    problem(node, 'import() takes a path in quotes here: what a unit imports is bundled before it runs'),
  )
  const missing = handlerProblem(program.getTypeChecker(), file)
  return missing ? [...computed, problem(missing.node, missing.message)] : computed
}

function handlerProblem(
  checker: ts.TypeChecker,
  file: ts.SourceFile,
): { node?: ts.Node; message: string } | undefined {
  const module = checker.getSymbolAtLocation(file)
  // A script of the older kind (`module.exports = …`): what it exports is seen when it is tried.
  if (!module || (isJavaScript(file) && !ts.isExternalModule(file))) {
    return hasCommonJsExports(file) ? undefined : { message: `nothing is exported; ${WANTED}` }
  }
  const exports = checker.getExportsOfModule(module)
  const defaultExport = exports.find(({ escapedName }) => escapedName === ts.InternalSymbolName.Default)
  if (!defaultExport) {
    if (exports.some(({ name }) => HANDLERS.has(name)) || hasCommonJsExports(file)) return undefined
    return { message: `no handler: ${WANTED}` }
  }
  const [node] = defaultExport.declarations ?? []
  const type = checker.getTypeOfSymbolAtLocation(defaultExport, file)
  // What has no known type, such as a package without declarations, is seen when it is tried.
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return undefined
  if (type.getProperties().some(({ name }) => HANDLERS.has(name))) return undefined
  const isCallable = type.getCallSignatures().length + type.getConstructSignatures().length > 0
  const what = isCallable
    ? 'the default export is a function or class, not an object with handlers'
    : 'no handler'
  return { ...(node ? { node } : {}), message: `${what}: ${WANTED}` }
}

const WANTED = `export at least one of ${[...HANDLERS].join(', ')}`

function hasCommonJsExports(file: ts.SourceFile): boolean {
  return isJavaScript(file) && /\bexports\b/.test(file.text)
}

function computedImports(file: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = []
  if (!file.text.includes('import')) return found
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [path] = node.arguments
      if (!path || !ts.isStringLiteralLike(path)) found.push(node)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

const isJavaScript = (file: ts.SourceFile): boolean => /\.[mc]?jsx?$/.test(file.fileName)
