/**
 * A valibot shape as JSON Schema, for the OpenAPI description.
 *
 * Covers the kinds that `shapes.ts` uses, and throws on any other, so that a description is never silently incomplete.
 */
export type JsonSchema = { readonly [key: string]: unknown }

/** The parts of a valibot schema that are read here; valibot's own types hide them behind generics. */
interface Shape {
  readonly type: string
  readonly expects: string
  readonly entries?: Readonly<Record<string, Shape>>
  readonly wrapped?: Shape
  readonly default?: unknown
  readonly item?: Shape
  readonly items?: readonly Shape[]
  readonly value?: Shape
  readonly options?: readonly (string | Shape)[]
  readonly literal?: unknown
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[]
}

export function toJsonSchema(schema: object): JsonSchema {
  const shape = schema as Shape
  switch (shape.type) {
    case 'strict_object':
      return objectSchema(shape.entries!)
    case 'optional':
      return {
        ...toJsonSchema(shape.wrapped!),
        ...(shape.default === undefined ? {} : { default: shape.default }),
      }
    case 'nullable':
      return { anyOf: [toJsonSchema(shape.wrapped!), { type: 'null' }] }
    case 'array':
      return { type: 'array', items: toJsonSchema(shape.item!) }
    case 'tuple':
      return { type: 'array', prefixItems: shape.items!.map(toJsonSchema) }
    case 'record':
      return { type: 'object', additionalProperties: toJsonSchema(shape.value!) }
    case 'variant':
      return { oneOf: shape.options!.map((option) => toJsonSchema(option as Shape)) }
    case 'literal':
      return { const: shape.literal }
    case 'picklist':
      return { type: 'string', enum: shape.options }
    case 'union':
      return { anyOf: shape.options!.map((option) => toJsonSchema(option as Shape)) }
    case 'number':
      return numberSchema(shape)
    case 'string':
    case 'boolean':
      return { type: shape.type }
    case 'unknown':
      return {}
    default:
      throw new Error(`a shape of type ${shape.type} cannot be described`)
  }
}

function objectSchema(entries: Readonly<Record<string, Shape>>): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(entries).filter((key) => entries[key]!.type !== 'optional'),
    properties: Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, toJsonSchema(value)])),
  }
}

function numberSchema({ pipe = [] }: Shape): JsonSchema {
  const requirement = (type: string) => pipe.find((step) => step.type === type)?.requirement
  const minimum = requirement('min_value')
  const maximum = requirement('max_value')
  return {
    type: pipe.some((step) => step.type === 'integer') ? 'integer' : 'number',
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  }
}
