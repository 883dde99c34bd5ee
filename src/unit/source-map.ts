/**
 * From a position in built code to the author's file and line, by the source map that was built with it.
 *
 * The decoded maps of the last few units are kept: a unit that fails, fails again, and decoding takes milliseconds.
 */
import { SourceMap } from 'node:module'
import { versionKey, type UnitVersion } from '../contract/unit.ts'

const MAPS_KEPT = 32
const maps = new Map<string, SourceMap | null>()

/**
 * A frame of V8's stack text ends in `FILE:LINE:COLUMN`, with or without a parenthesis. FILE has no blanks.
 *
 * A unit writes these texts as it likes, so lengths are bounded: unbounded ones took 130 ms for a message of 8 KB.
 */
const FRAME = /([^\s()]{1,200}):(\d{1,9}):(\d{1,9})(?=\)?$)/gm

/** Frames of what runs around a unit in its isolate: its author cannot do anything about them. */
const GUEST_FRAME = /\n +at [^\n]{0,200}\borla-guest\.js:\d{1,9}:\d{1,9}\)?(?=\n|$)/g

/** The script that a unit's code is compiled as, so that its frames are told from those of the guest around it. */
export const scriptName = (unit: { readonly name: string; readonly version: number }): string =>
  `${versionKey(unit)}.js`

/** Where in the author's files the topmost frame of the unit lies: `token.ts:7:3`. Undefined where none does. */
export function locateInSource(unit: UnitVersion, stack: string): string | undefined {
  return authorPosition(unit.sourceMap, stack, scriptName(unit))
}

/** The same from a map alone. `script` keeps to the frames of one script; without it the first that maps is taken. */
export function authorPosition(sourceMap: string, stack: string, script?: string): string | undefined {
  for (const [, file, line, column] of stack.matchAll(FRAME)) {
    if (script !== undefined && file !== script) continue
    const place = mapped(sourceMap, Number(line), Number(column))
    if (place) return place
  }
  return undefined
}

/** The stack with every frame of the unit rewritten to the author's position, and without frames of the guest. */
export function mapStack(unit: UnitVersion, stack: string): string {
  const script = scriptName(unit)
  // Most lines of a log hold no frame.
  if (!stack.includes('.js:')) return stack
  return stack
    .replace(GUEST_FRAME, '')
    .replace(FRAME, (frame: string, file: string, line: string, column: string) =>
      file === script ? (mapped(unit.sourceMap, Number(line), Number(column)) ?? frame) : frame,
    )
}

/** `line` and `column` count from 1, as in stacks. */
function mapped(sourceMap: string, line: number, column: number): string | undefined {
  const entry = decoded(sourceMap)?.findEntry(line - 1, column - 1)
  if (!entry || !('originalSource' in entry) || entry.originalSource === undefined) return undefined
  return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
}

function decoded(json: string): SourceMap | null {
  let map = maps.get(json)
  if (map === undefined) map = decode(json)
  // Set anew, so that the first in order is the one that was not asked for longest.
  else maps.delete(json)
  maps.set(json, map)
  if (maps.size > MAPS_KEPT) maps.delete(maps.keys().next().value!)
  return map
}

function decode(json: string): SourceMap | null {
  try {
    return json === '' ? null : new SourceMap(JSON.parse(json))
  } catch {
    // The position is a help, not a must: the error itself is told without it.
    return null
  }
}
