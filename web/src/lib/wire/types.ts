// The JSON of the native API as the page reads it: conversations, messages, generations, models, frames.
// Mirrors src/grantha/chat.py, events.py and the API's schemas; knows neither Svelte nor fetch.

export type Ending = 'done' | 'stopped' | 'failed' | 'interrupted';
export type Status = 'running' | Ending;
export type Json = Record<string, unknown>;

export interface TextPart {
  type: 'text';
  text: string;
}
export interface ReasoningPart {
  type: 'reasoning';
  text: string;
  signature?: string;
  duration_ms?: number;
}
export interface ToolCallPart {
  type: 'tool-call';
  call_id: string;
  name: string;
  arguments: string;
  signature?: string;
}
export interface ToolResultPart {
  type: 'tool-result';
  call_id: string;
  text: string;
  is_error?: boolean;
}
/** `url` when the server sends it, `data` (base64) when the page sends it. */
export interface ImagePart {
  type: 'image';
  media_type: string;
  url?: string;
  data?: string;
}
export interface FilePart {
  type: 'file';
  name: string;
  media_type: string;
  text: string;
}
export type Part = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePart | FilePart;

export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cached_input_tokens?: number;
  cache_write_tokens?: number;
  reasoning_tokens?: number;
  cost_usd?: number;
}

/** Milliseconds; absent is unknown. */
export interface Timings {
  queued_ms?: number;
  connect_ms?: number;
  first_text_ms?: number;
  duration_ms?: number;
  max_gap_ms?: number;
  stalls?: number;
  tok_s?: number;
}

export interface Fault {
  code: string;
  message: string;
  fault?: 'caller' | 'provider' | 'us';
  retryable?: boolean;
  advice?: string;
  provider?: string;
  retry_after?: number;
  native?: string;
}

export interface Receipt {
  closed_ms?: number | null;
  confirmed?: boolean | null;
  pieces?: number;
}

export type SeamReason = 'options' | 'restart' | 'provider-lost' | 'fallback' | 'continued';

/** `text_length` is in code points: where the mark stands in the text of all text parts. */
export interface Seam {
  reason: SeamReason;
  how?: 'prefix' | 'instruction' | null;
  model: string;
  options?: Json;
  text_length: number;
  changes?: Record<string, [unknown, unknown]>;
  details?: Json;
}

export interface Citation {
  part: number;
  url?: string | null;
  title?: string | null;
  quoted?: string;
}

export interface GenerationEnd {
  ending: Ending;
  finish_reason?: string | null;
  native_finish_reason?: string | null;
  usage?: Usage | null;
  timings?: Timings;
  text_length: number;
  sha256: string;
  error?: Fault | null;
  receipt?: Receipt | null;
}

export type PartKind = 'text' | 'reasoning' | 'tool-call';

export type EventBody =
  | { kind: 'open'; previous: string | null; model: string; options?: Json }
  | { kind: 'part-start'; part: number; part_kind: PartKind; call_id?: string; name?: string }
  | { kind: 'text-delta'; part: number; text: string; pieces?: number }
  | { kind: 'reasoning-delta'; part: number; text: string; signature?: string; pieces?: number }
  | { kind: 'tool-call'; part: number; arguments: string; signature?: string }
  | { kind: 'part-end'; part: number; duration_ms?: number }
  | { kind: 'usage'; usage: Usage | null }
  | ({ kind: 'citation' } & Citation)
  | { kind: 'notice'; code: string; message: string; details?: Json }
  | ({ kind: 'seam' } & Seam)
  | ({ kind: 'generation-end' } & GenerationEnd);

/** One or more records: `id` is the last one's, `records` how many (absent: one), `at` ms since 1970. */
export type Frame = EventBody & { id: string; at: number; records?: number };

export interface Hello {
  kind: 'hello';
  protocol: number;
  heartbeat: number;
  epoch?: number;
  status?: Status;
  generation?: string;
}

export interface Snapshot extends Generation {
  kind: 'snapshot';
}

export interface Generation {
  id: string;
  conversation: string;
  message: string;
  parent: string | null;
  status: Status;
  model: string;
  options: Options;
  last_id: string;
  text: string;
  parts: Part[];
  seams: Seam[];
  citations: Citation[];
  usage?: Usage | null;
  timings?: Timings | null;
  error?: Fault | null;
  created_at: string;
  end?: GenerationEnd | null;
}

export interface Options {
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  reasoning_effort?: string;
  seed?: number;
}

export interface ConversationRow {
  id: string;
  title: string;
  pinned: boolean;
  origin: 'page' | 'api';
  created_at: string;
  updated_at: string;
  status: Status | null;
  generation: string | null;
  snippet?: string | null;
}

export interface Message {
  id: string;
  parent: string | null;
  role: 'user' | 'assistant' | 'system' | 'tool';
  parts: Part[];
  created_at: string;
  model: string | null;
  generation: string | null;
  status: Status | null;
  end: GenerationEnd | null;
  seams?: Seam[];
  citations?: Citation[];
}

export interface Conversation extends ConversationRow {
  system_prompt: string;
  options: Options;
  model: string | null;
  leaf: string | null;
  messages: Message[];
}

export interface Capabilities {
  context_length?: number | null;
  output_limit?: number | null;
  images?: boolean;
  tools?: boolean;
  reasoning?: boolean;
  prefix?: boolean;
  instruction?: boolean;
  temperature?: boolean;
  top_p?: boolean;
  stream?: boolean;
  input_price?: number | null;
  output_price?: number | null;
}

export interface Readiness {
  state: 'ready' | 'loading' | 'missing-key' | 'unreachable' | 'off';
  reason?: string;
  advice?: string;
  variable?: string;
  progress?: number;
}

export interface Model {
  id: string;
  name: string;
  provider: string;
  capabilities: Capabilities;
  readiness: Readiness;
}

export interface Provider {
  name: string;
  title: string;
  dialect: string;
  readiness: Readiness;
  base_url_host?: string | null;
}

export interface CheckReply {
  ok: boolean;
  ttft_ms?: number | null;
  text?: string;
  error?: string;
  advice?: string;
}

export interface StartBody {
  parts?: Part[];
  text?: string;
  parent?: string | null;
  model?: string;
  models?: string[];
  options?: Options;
}

export interface StopReply extends Receipt {
  generation: string;
  status: Status;
  stopped: boolean;
}

export interface PatchReply {
  applied: boolean;
  how?: 'prefix' | 'instruction' | null;
  reason?: string;
  model: string;
  options: Options;
}

export interface ServerState {
  status: 'ready' | 'degraded';
  durability?: string;
  sqlite?: string;
  storage?: { ok: boolean; error?: string | null; version?: string };
  running?: number;
  version?: string;
}

/** `trace` rows: ms after the record before, kind, code points, upstream pieces. */
export type TraceRow = [dt_ms: number, kind: string, code_points: number, pieces: number];

export interface Trace {
  generation: Generation;
  timings: Timings;
  segments: Segment[];
  trace: TraceRow[];
  bytes: Record<string, number | string | null>;
  attempts: number;
}

export interface Segment {
  model?: string;
  options?: Options;
  start_ms?: number;
  end_ms?: number | null;
  output_tokens?: number | null;
  text_length?: number;
  reason?: SeamReason | null;
}

export interface Summary {
  totals: {
    generations: number;
    output_tokens: number | null;
    cost_usd: number | null;
    ttft_p50_ms: number | null;
    ttft_p95_ms?: number | null;
    tok_s_p50?: number | null;
    stopped?: number;
    errors: number;
  };
  by_model: ModelNumbers[];
  by_day: DayNumbers[];
}

export interface ModelNumbers {
  model: string;
  generations: number;
  ttft_p50_ms: number | null;
  ttft_p95_ms: number | null;
  tok_s_p50: number | null;
  output_tokens: number | null;
  cost_usd: number | null;
  errors: number;
}

export interface DayNumbers {
  day: string;
  generations: number;
  errors: number;
  output_tokens: number | null;
  cost_usd: number | null;
  ttft_p50_ms: number | null;
  ttft_p95_ms: number | null;
  tok_s_p50: number | null;
}
