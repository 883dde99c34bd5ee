/**
 * What a page asks to be run: fenced blocks, each with the HTML comment right above it, which readers do not see.
 *
 *     <!-- unit greet --env NAME=ana
 *     GET /greet → 200 | "hello ana"
 *     -->
 */
import { textOf } from '../shape/tree.ts'

export interface Block {
  /** `ts`, `sh`, `console`… */
  readonly language: string
  readonly text: string
  /** The lines of the comment above; none where there is no comment. */
  readonly marker: readonly string[]
  /** `docs/guides/units.md:120`, of the opening fence. */
  readonly place: string
}

export function blocksOf(path: string): Block[] {
  const text = textOf(path)
  const found = text.matchAll(/^(?:<!--(?<marker>[^]*?)-->\n)?```(?<language>\w+)\n(?<text>[^]*?)^```$/gm)
  return [...found].map((match) => {
    const { marker = '', language = '', text: body = '' } = match.groups!
    const line = text.slice(0, match.index + match[0].indexOf('```')).split('\n').length
    const lines = marker.split('\n').map((one) => one.trim())
    return { language, text: body, marker: lines.filter((one) => one !== ''), place: `${path}:${line}` }
  })
}
