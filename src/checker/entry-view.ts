/**
 * How the type checker sees a unit's entry: as its author wrote it, with ` satisfies Unit` where it was left out.
 *
 * So the handlers of `export default { access(request) {…} }` get their types, and the default export is checked,
 * whether or not it says what it is. Only text is added, and `toSource` leads every place back to the author's.
 */
import ts from 'typescript'

export interface EntryView {
  readonly text: string
  /** An offset in `text` as an offset in the author's text. What was added leads to what it was added for. */
  toSource(offset: number): number
}

interface Insertion {
  /** In the author's text. */
  readonly at: number
  readonly text: string
  /** Where a problem with the added text itself is told, in the author's text. */
  readonly about: number
}

const CLAIM = ' satisfies import("orla").Unit'

export function viewEntry(path: string, text: string): EntryView {
  const file = ts.createSourceFile(path, text, { languageVersion: ts.ScriptTarget.ES2024 }, true)
  const claims = !/\.[mc]?tsx?$/.test(path) || isBroken(file) ? [] : claimsOf(file, path)
  return withInsertions(
    text,
    claims.toSorted((a, b) => a.at - b.at),
  )
}

/** As it was written. */
export const plainView = (text: string): EntryView => withInsertions(text, [])

/** Text added to broken code would make problems of its own. */
function isBroken(file: ts.SourceFile): boolean {
  const problems: unknown = (file as { parseDiagnostics?: unknown }).parseDiagnostics
  return Array.isArray(problems) && problems.length > 0
}

function claimsOf(file: ts.SourceFile, path: string): Insertion[] {
  const exported = defaultExport(file)
  if (exported === undefined) return claimNamespace(file, path)
  const literal = ts.isIdentifier(exported) ? declaredObject(file, exported.text) : undefined
  if (literal) return claim(literal)
  // `export { unit as default }` has no expression to add to: a statement at the end claims it.
  if (ts.isIdentifier(exported) && ts.isExportSpecifier(exported.parent)) {
    const statement = `\n;(${exported.text})${CLAIM};`
    return [{ at: file.end, text: statement, about: exported.getStart(file) }]
  }
  return claim(exported)
}

/** Parentheses, since `satisfies` binds closer than `? :`, `=>` or `??`. */
function claim(expression: ts.Expression): Insertion[] {
  const start = expression.getStart()
  return [
    { at: start, text: '(', about: start },
    { at: expression.end, text: `)${CLAIM}`, about: start },
  ]
}

/** The expression of `export default …`, or the local name in `export { name as default }`. */
function defaultExport(file: ts.SourceFile): ts.Expression | undefined {
  for (const statement of file.statements) {
    if (ts.isExportAssignment(statement)) return statement.isExportEquals ? undefined : statement.expression
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier) continue
    const { exportClause } = statement
    if (!exportClause || !ts.isNamedExports(exportClause)) continue
    const specifier = exportClause.elements.find(({ name }) => name.text === 'default')
    const local = specifier?.propertyName
    if (local && ts.isIdentifier(local)) return local
  }
  return undefined
}

/** The object that a top-level `const` of this name is, where its author gave it no type. */
function declaredObject(file: ts.SourceFile, name: string): ts.ObjectLiteralExpression | undefined {
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue
    for (const { name: declared, type, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(declared) || declared.text !== name || type || !initializer) continue
      if (ts.isObjectLiteralExpression(initializer)) return initializer
    }
  }
  return undefined
}

/** A module without a default export is the unit itself, where it exports functions or values. */
function claimNamespace(file: ts.SourceFile, path: string): Insertion[] {
  const first = file.statements.find(
    (statement) =>
      (ts.isFunctionDeclaration(statement) || ts.isVariableStatement(statement)) &&
      statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
  )
  const isDefault =
    first &&
    ts.canHaveModifiers(first) &&
    ts.getModifiers(first)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  if (!first || isDefault) return []
  const self = `./${path.slice(path.lastIndexOf('/') + 1)}`
  const statement = `\n;import * as __orlaUnit from ${JSON.stringify(self)};(__orlaUnit)${CLAIM};`
  return [{ at: file.end, text: statement, about: first.getStart(file) }]
}

function withInsertions(source: string, insertions: readonly Insertion[]): EntryView {
  let text = ''
  let from = 0
  for (const { at, text: added } of insertions) {
    text += source.slice(from, at) + added
    from = at
  }
  text += source.slice(from)
  return {
    text,
    toSource(offset) {
      let added = 0
      for (const insertion of insertions) {
        if (offset < insertion.at + added) break
        if (offset < insertion.at + added + insertion.text.length) return insertion.about
        added += insertion.text.length
      }
      return offset - added
    },
  }
}
