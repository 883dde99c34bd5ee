/** A small world for the checker's own tests: they are about checking, not about what a unit may do. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UnitTypes } from '../type-check.ts'

export const FIXTURE_TYPES: UnitTypes = {
  orla: `
    export interface Edge { readonly env: Readonly<Record<string, string>>; readonly node: { readonly name: string } }
    export interface EdgeRequest { path: string; readonly query: URLSearchParams; readonly headers: Headers }
    export interface EdgeResponse { readonly headers: Headers }
    type Answer<T> = T | Promise<T>
    export interface Unit {
      hosts?: readonly string[]
      rewrite?(request: EdgeRequest, response: EdgeResponse, edge: Edge): Answer<void | Response>
      access?(request: EdgeRequest, response: EdgeResponse, edge: Edge): Answer<void | Response>
      content?(request: Readonly<EdgeRequest>, edge: Edge): Answer<Response>
      fetch?(request: Request, env: Readonly<Record<string, string>>, context: unknown): Answer<Response>
    }
  `,
  globals: `
    interface URLSearchParams { get(name: string): string | null }
    interface Headers { get(name: string): string | null; append(name: string, value: string): void }
    interface Request { readonly url: string }
    interface Response { readonly status: number }
    declare var Response: { new (body?: string, init?: { status?: number }): Response }
    interface Console { log(...values: unknown[]): void }
    declare var console: Console
  `,
  test: `export declare function test(name: string, run: (unit: { request(target: string): Promise<Response> }) => unknown): void`,
}

/** The same as a folder, for the process. */
export function fixtureTypesDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'orla-types-'))
  writeFileSync(join(directory, 'orla.d.ts'), FIXTURE_TYPES.orla)
  writeFileSync(join(directory, 'globals.d.ts'), FIXTURE_TYPES.globals)
  writeFileSync(join(directory, 'test.d.ts'), FIXTURE_TYPES.test)
  return directory
}
