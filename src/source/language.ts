/**
 * Tells what the code of a unit is written in. Nothing of it is run.
 *
 * JavaScript is what V8 takes as the body of an async function in strict mode, or a module with `export`. But some Lua is that too: `ngx.say("hi")`, and
 * `redis_client:incr("hits")` is a label before a call. So what only Lua can mean is looked for first, outside of strings and comments. Where V8 refuses the code, signs
 * of Lua say that it is that; without them, or beside signs that it was meant as JavaScript, it is broken.
 */
import { Script } from 'node:vm'

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

// Compiles what it is given, and does not run it. Unlike a script around the code it refuses code that closes the function.
const AsyncFunction = (async () => undefined).constructor as new (body: string) => unknown

export function languageOf(code: string): Language {
  const bare = withoutTexts(code)
  const problem = problemOf(code)
  const isModule =
    problem !== undefined && /(?<![\w$.])export\s*(?:default\b|\{|const\b|function\b|async\b)/.test(bare)
  const isDeclared = /(?<![\w$.])(?:const|let|var|function)\s+(?:ngx|edge_computing)\b/.test(bare)
  const parses = problem === undefined || isModule
  if (parses) {
    const sign = isDeclared ? undefined : firstOf(LUA_THAT_PARSES, bare)
    if (sign !== undefined) return { kind: 'lua', sign }
    return isModule ? { kind: 'module' } : { kind: 'chunk', awaits: /(?<![\w$.])await\b/.test(bare) }
  }
  // What a comment of Lua says is no sign of anything else.
  const isMeantAsJavaScript = JAVASCRIPT.test(bare.replaceAll(/--\[\[[^]*?\]\]|--[^\n]*/g, ''))
  const sign = isMeantAsJavaScript ? undefined : firstOf(LUA, bare)
  return sign === undefined ? { kind: 'broken', problem } : { kind: 'lua', sign }
}

const firstOf = (signs: Signs, bare: string): string | undefined =>
  signs.find(([, pattern]) => pattern.test(bare))?.[0]

/** Why it is not the body of an async function, with the line; undefined where it is. */
function problemOf(code: string): string | undefined {
  try {
    // The line break keeps the directive apart from a code that begins with an operator.
    return void new AsyncFunction(`"use strict";\n${code}\n`)
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

/** Strings and comments emptied, of both languages. What reads like a string in a regular expression may be taken for one. */
function withoutTexts(code: string): string {
  return code.replaceAll(
    /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`/g,
    (text) => (text.startsWith('/') ? ' ' : '""'),
  )
}
