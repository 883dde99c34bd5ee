/** Links between our own pages lead somewhere: to a file that is there, and to a heading that is in it. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { filesBelow, ROOT, textOf } from '../shape/tree.ts'

const PAGES = filesBelow().filter((path) => path.endsWith('.md'))

/** Targets of links, without those in fenced blocks. */
function linksOf(path: string): string[] {
  const prose = textOf(path).replaceAll(/^```[^]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
}

/** Anchors of headings, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const headings = [...textOf(path).matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

test('every link between pages leads to a file and a heading that exist', () => {
  const dead = PAGES.flatMap((page) =>
    linksOf(page)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? page : normalize(join(dirname(page), path))
        if (!existsSync(join(ROOT, target))) return true
        return anchor !== undefined && !anchorsOf(target).has(anchor)
      })
      .map((link) => `${page} links to ${link}`),
  )
  assert.deepEqual(dead, [])
})
