/** Reads declarations and their comments out of our own sources, for the pages that are made from them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export function parseSource(path: string): ts.SourceFile {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url))
  return ts.createSourceFile(path, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2024, true)
}

/** The doc comment above a declaration as one paragraph; empty where there is none. */
export function docOf(node: ts.Node): string {
  const [doc] = ts.getJSDocCommentsAndTags(node)
  const text = ts.getTextOfJSDocComment(doc?.comment) ?? ''
  return text.replaceAll(/\s+/g, ' ').trim()
}
