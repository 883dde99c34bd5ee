/**
 * Tells what the code of a unit is written in. Nothing of it is run.
 *
 * JavaScript is what V8 takes as the body of an async function in strict mode, or a module with `export`. But some Lua is that too: `ngx.say("hi")`, and
 * `redis_client:incr("hits")` is a label before a call. So what only Lua can mean is looked for first, outside of strings and comments. Where V8 refuses the code, signs
 * of Lua say that it is that; without them, or beside signs that it was meant as JavaScript, it is broken.
 */
import { Script } from 'node:vm'
import { withoutLuaComments, withoutTexts } from './bare-code.ts'

export type Language =
  /** The body of a handler. */
  | { readonly kind: 'chunk'; readonly awaits: boolean }
  /** A whole unit, with `export`. */
  | { readonly kind: 'module' }
  /** `sign`: what told. */
  | { readonly kind: 'lua'; readonly sign: string }
  | { readonly kind: 'broken'; readonly problem: string }

type Signs = readonly (readonly [sign: string, pattern: RegExp])[]

/** V8 may accept them; in the code of a unit they mean nothing but Lua. */
const LUA_THAT_PARSES: Signs = [
  ['`ngx`', /(?<![\w$.])ngx\s*[.[]/],
  ['`edge_computing`', /(?<![\w$.])edge_computing\s*[.:]/],
  ['a method called with `:`', /(?:^|[;)}])\s*(?!default\b)[A-Za-z_]\w*:[A-Za-z_]\w*\s*\(/],
  ['a comment after `--`', /^[ \t]*--(?:\[\[|[ \t])/m],
]

const LUA: Signs = [
  ['`local`', /(?<![\w$.])local\s+(?:function\s+)?[A-Za-z_]/],
  ['`then`', /(?<![\w$.])then(?![\w$]|\s*[(:=,])/],
  ['`elseif`', /(?<![\w$.])elseif\b/],
  ['`end`', /(?<![\w$.])end(?![\w$]|\s*[(:=.])/],
  ['`nil`', /(?<![\w$.])nil(?![\w$])/],
  ['`~=`', /~=/],
  ['`..`', /(?<!\.)\.\.(?!\.)/],
  ['a comment after `--`', /^[ \t]*--/m],
  ['a method called with `:`', /[\w)\]]:[A-Za-z_]\w*\s*\(/],
  ['`ngx`', /(?<![\w$.])ngx(?![\w$])/],
]

/** No Lua has them outside of strings and comments. */
const JAVASCRIPT = /(?<![\w$.])(?:const|let|await|new|typeof|throw)\s|=>|===|!==|&&|\|\||!=/

/** `await` before these, or at the end of a line, is a name where it is no keyword: then V8 does not tell. In a template that is no code it costs little. */
const AWAIT_OR_NAME = /(?<![\w$.])await(?=\s*[([`/+-]|[^\S\n]*(?:\n|$))/

// Compile what they are given, and do not run it. Unlike a script around the code they refuse code that closes the function.
type FunctionOf = new (body: string) => unknown
const AsyncFunction = (async () => undefined).constructor as FunctionOf
const SyncFunction = (() => undefined).constructor as FunctionOf

export function languageOf(code: string): Language {
  const bare = withoutTexts(code)
  const problem = problemOf(code, AsyncFunction)
  const isModule =
    problem !== undefined && /(?<![\w$.])export\s*(?:default\b|\{|const\b|function\b|async\b)/.test(bare)
  const isDeclared = /(?<![\w$.])(?:const|let|var|function)\s+(?:ngx|edge_computing)\b/.test(bare)
  const parses = problem === undefined || isModule
  if (parses) {
    const sign = isDeclared ? undefined : firstOf(LUA_THAT_PARSES, bare)
    if (sign !== undefined) return { kind: 'lua', sign }
    return isModule ? { kind: 'module' } : { kind: 'chunk', awaits: doesAwait(code) }
  }
  // What a comment of Lua says is no sign of anything else.
  const isMeantAsJavaScript = JAVASCRIPT.test(withoutLuaComments(bare))
  const sign = isMeantAsJavaScript ? undefined : firstOf(LUA, bare)
  return sign === undefined ? { kind: 'broken', problem } : { kind: 'lua', sign }
}

const firstOf = (signs: Signs, bare: string): string | undefined =>
  signs.find(([, pattern]) => pattern.test(bare))?.[0]

/** Of the body of an async function: whether it is none of another one, or may mean something else there. */
const doesAwait = (code: string): boolean =>
  problemOf(code, SyncFunction) !== undefined ||
  AWAIT_OR_NAME.test(withoutTexts(code, { keepsTemplates: true }))

/** Why it is not the body of such a function, with the line; undefined where it is. */
function problemOf(code: string, Body: FunctionOf): string | undefined {
  try {
    // The line break keeps the directive apart from a code that begins with an operator.
    return void new Body(`"use strict";\n${code}\n`)
  } catch (error) {
    return `${(error as Error).message}${lineOf(code)}`
  }
}

/** ` (line 3)`, of the same code in a script, whose errors have a place. */
function lineOf(code: string): string {
  try {
    compile(code)
    return ''
  } catch (error) {
    const line = /^unit:(\d+)/.exec(String((error as Error).stack))?.[1]
    return line === undefined ? '' : ` (line ${line})`
  }
}

const compile = (code: string) =>
  new Script(`(async function () {"use strict";${code}\n})`, { filename: 'unit' })
