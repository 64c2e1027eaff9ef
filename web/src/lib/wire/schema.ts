// The API's bodies, replies and events as the server describes them in /openapi.json.
// Written by tools/page_types.py (`make types`); what is changed here is lost.

/** Statistics of some answers; null is unknown. Counts and sums are exact; percentiles, by nearest rank, are within 2.5 % of the true value, since they are read from histograms. */
export interface AnswerStatistics {
  generations: number;
  errors: number;
  stopped: number;
  output_tokens: number | null;
  cost_usd: number | null;
  first_text_p50_ms: number | null;
  first_text_p95_ms: number | null;
  tok_s_p50: number | null;
}

/** What an answer takes; `stored` is null where its records are gone. */
export interface BytesReply {
  text: number;
  stored: number | null;
}

/** Facts about one model. Lengths are in tokens, prices in US dollars per million tokens. Where a special price is None, such tokens cost what other input or output costs. Tiers ascend. */
export interface Capabilities {
  context_length?: number | null;
  output_limit?: number | null;
  chat?: boolean;
  images?: boolean;
  documents?: boolean;
  urls?: boolean;
  tools?: boolean;
  reasoning?: boolean;
  unopened_thinking?: boolean;
  prefix?: boolean;
  instruction?: boolean;
  temperature?: boolean;
  top_p?: boolean;
  stream?: boolean;
  input_price?: number | null;
  output_price?: number | null;
  cached_input_price?: number | null;
  cache_write_price?: number | null;
  reasoning_price?: number | null;
  price_tiers?: PriceTier[];
}

/** Live controls. */
export interface ChangeBody {
  temperature?: number | null;
  top_p?: number | null;
  max_tokens?: number | null;
  stop?: string[] | null;
  seed?: number | null;
  reasoning_effort?: string | null;
  tools?: Record<string, unknown>[] | null;
  tool_choice?: string | Record<string, unknown> | null;
  response_format?: Record<string, unknown> | null;
  model?: string | null;
}

/** How a change applies: by prefix, by instruction, or (null) before any text. */
export interface ChangeReply {
  applied: boolean;
  mode: 'prefix' | 'instruction' | null;
  model: string;
  options: Options;
}

/** The result of asking a provider for one word. */
export interface CheckReply {
  ok: boolean;
  model: string | null;
  ttft_ms: number | null;
  error: string | null;
  advice: string | null;
}

/** A source for the text of a part up to here. */
export interface Citation {
  part: number;
  url: string | null;
  title: string | null;
  quoted?: string;
}

/** Continues an ended answer. */
export interface ContinueBody {
  model?: string | null;
  options?: OptionsBody | null;
}

/** A new conversation, or changes to one. */
export interface ConversationBody {
  title?: string | null;
  system_prompt?: string | null;
  options?: OptionsBody | null;
  model?: string | null;
  pinned?: boolean | null;
  leaf?: string | null;
}

/** One page of the list. */
export interface ConversationList {
  items: ConversationListItem[];
  next_cursor: string | null;
}

/** A conversation in a list. `snippet` marks a match between U+0002 and U+0003. */
export interface ConversationListItem {
  id: string;
  title: string;
  pinned: boolean;
  origin: 'page' | 'api' | 'ephemeral';
  created_at: string;
  updated_at: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted' | null;
  generation: string | null;
  snippet: string | null;
}

/** A conversation with its whole tree, in order of creation; `leaf` is the tip that is shown. */
export interface ConversationReply {
  id: string;
  title: string;
  pinned: boolean;
  origin: 'page' | 'api' | 'ephemeral';
  created_at: string;
  updated_at: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted' | null;
  generation: string | null;
  snippet: string | null;
  system_prompt: string;
  options: Options;
  model: string | null;
  leaf: string | null;
  messages: MessageReply[];
}

/** Those of one day, in UTC. */
export interface DayStatistics {
  generations: number;
  errors: number;
  stopped: number;
  output_tokens: number | null;
  cost_usd: number | null;
  first_text_p50_ms: number | null;
  first_text_p95_ms: number | null;
  tok_s_p50: number | null;
  day: string;
}

/** A document as text, with the members of a file part and two more. `pages` counts pages, slides or sheets. `truncated`: the text ends before the document does. */
export interface DocumentTextReply {
  type: 'file';
  name: string;
  media_type: string;
  text: string;
  pages: number | null;
  truncated: boolean;
}

/** What to download: a model of the curated list, or a GGUF file from a URL. */
export interface DownloadBody {
  name?: string | null;
  url?: string | null;
  sha256?: string | null;
}

/** The one download of a model. `name` is that of the curated list, null for a URL. `received` and `total` are bytes, `speed` is bytes a second; null is unknown. `model` is the id that the model has once it is `done`. */
export interface DownloadReply {
  state: 'running' | 'paused' | 'failed' | 'done';
  name: string | null;
  title: string;
  host: string;
  received: number;
  total: number | null;
  speed: number | null;
  error: ErrorObject | null;
  model: string | null;
}

/** An error as JSON, in events and in every API of ours; an absent member is unknown. */
export interface ErrorObject {
  code: string;
  message: string;
  fault?: 'caller' | 'provider' | 'us';
  retryable?: boolean;
  advice?: string;
  provider?: string;
  retry_after?: number;
  native?: string;
}

/** One record of an answer. */
export type Event = (Open & {
  kind: 'open';
}) | (PartStart & {
  kind: 'part-start';
}) | (TextDelta & {
  kind: 'text-delta';
}) | (ReasoningDelta & {
  kind: 'reasoning-delta';
}) | (ToolCallDelta & {
  kind: 'tool-call';
}) | (PartEnd & {
  kind: 'part-end';
}) | (UsageReport & {
  kind: 'usage';
}) | (Citation & {
  kind: 'citation';
}) | (Notice & {
  kind: 'notice';
}) | (Seam & {
  kind: 'seam';
}) | (GenerationEnd & {
  kind: 'generation-end';
});

/** A document as text. */
export interface FilePartBody {
  type: 'file';
  name: string;
  media_type?: string;
  text: string;
}

/** A document's text or, where that is empty, the `url` of its bytes, on this server or another host. `call_id` names the tool call whose result it is part of. */
export interface FilePartReply {
  type: 'file';
  name: string;
  media_type: string;
  text: string;
  url?: string | null;
  call_id?: string | null;
}

/** One or more consecutive records as they are sent. */
export type Frame = Event & {
  id: string;
  at: number;
  records?: number;
};

/** A catch-up: frames after the cursor, and where to go on. */
export interface FramesReply {
  frames: Frame[];
  last_id: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  at: number;
}

/** A send: text or parts are a new question; without them an existing one is answered again. */
export interface GenerationBody {
  text?: string | null;
  parts?: (TextPartBody | ImagePartBody | FilePartBody)[] | null;
  parent?: string | null;
  model?: string | null;
  models?: string[] | null;
  options?: OptionsBody | null;
}

/** The last record. Length (code points) and SHA-256 (hex, of the UTF-8) cover all text deltas. `usage` None is unknown. `timings` in milliseconds, see `grantha.analytics.timings`. `receipt` says how a stop went; `stop_sequence` is the text that ended the answer, where it is known. */
export interface GenerationEnd {
  ending: 'done' | 'stopped' | 'failed' | 'interrupted';
  finish_reason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'refusal' | 'unknown' | null;
  native_finish_reason: string | null;
  usage: Usage | null;
  timings: Timings;
  text_length: number;
  sha256: string;
  error?: ErrorObject;
  receipt?: StopReceipt;
  stop_sequence?: string;
}

/** An answer as it is now; its events go on after `last_id`. */
export interface GenerationReply {
  id: string;
  conversation: string;
  message: string;
  parent: string | null;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  model: string;
  options: Options;
  last_id: string;
  text: string;
  parts: (TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePartReply)[];
  seams: Seam[];
  citations: Citation[];
  usage: Usage | null;
  timings: Timings | null;
  error: ErrorObject | null;
  created_at: string;
  end: GenerationEnd | null;
}

/** The process answers. */
export interface HealthReply {
  status: 'ok';
}

/** The first frame of every transport. `heartbeat` is in seconds. */
export interface Hello {
  kind: 'hello';
  protocol: number;
  heartbeat: number;
  epoch: number;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  generation: string;
}

/** An image, base64. */
export interface ImagePartBody {
  type: 'image';
  media_type: string;
  data: string;
}

/** An image; its bytes are at `url`, on this server or, with an empty `media_type`, on another host. `call_id` names the tool call whose result it is part of. */
export interface ImagePartReply {
  type: 'image';
  media_type: string;
  url: string;
  call_id?: string | null;
}

/** The new conversations. */
export interface ImportReply {
  imported: number;
  conversations: string[];
  left_out: LeftOut;
}

/** How one answer was written. A row of `trace` is [ms since the one before, kind, code points, deltas]. */
export interface InspectionReply {
  generation: GenerationReply;
  timings: Timings;
  segments: SegmentReply[];
  trace: [number, string, number, number][];
  bytes: BytesReply;
  attempts: number;
}

/** A model of this machine: its id, its file and the size of all its files in bytes. `name` is the curated or the built-in model's, null for others. Only models with the origin `data-folder` can be deleted. */
export interface InstalledModelReply {
  model: string;
  name: string | null;
  title: string;
  file: string;
  size: number;
  origin: 'package' | 'data-folder' | 'settings';
}

/** How much of a file isn't imported: what the file only names, or what nothing here could show. */
export interface LeftOut {
  images: number;
  files: number;
  tool_calls: number;
  other: number;
}

/** Something changed, in any tab. `row` is the conversation as it is listed, unless it was deleted. */
export interface LiveChange {
  type: 'change';
  change: 'conversation' | 'conversation-deleted' | 'message' | 'generation' | 'models' | 'everything';
  conversation?: string;
  generation?: string;
  row?: ConversationListItem;
}

/** A message that `WS /api/live` takes. */
export type LiveClientMessage = LiveSubscribe | LiveUnsubscribe | LiveStop | LivePing;

/** A message was invalid, or a generation's log can't be read any further; the socket stays open. */
export interface LiveError {
  type: 'error';
  generation?: string;
  error: ErrorObject;
}

/** A frame of a subscribed generation. */
export interface LiveFrame {
  type: 'frame';
  generation: string;
  frame: Frame | SnapshotFrame;
}

/** The generation can't be read: there is none of this id, or its records are gone. */
export interface LiveGone {
  type: 'gone';
  generation: string;
  code: string;
}

/** The connection is alive. */
export interface LiveHeartbeat {
  type: 'heartbeat';
}

/** The first message. `heartbeat` is in seconds; `instance_id` changes when the server restarts. */
export interface LiveHello {
  type: 'hello';
  protocol: number;
  heartbeat: number;
  instance_id: string;
}

/** A message that `WS /api/live` sends. */
export type LiveMessage = LiveHello | LiveSubscribed | LiveFrame | LiveGone | LiveStopped | LiveChange | LiveError | LivePong | LiveHeartbeat;

/** Asks for a pong. */
export interface LivePing {
  type: 'ping';
}

/** The answer to a ping. */
export interface LivePong {
  type: 'pong';
}

/** Stops a generation; the receipt is the answer. */
export interface LiveStop {
  type: 'stop';
  generation: string;
}

/** The receipt of a stop. */
export interface LiveStopped {
  generation: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  stopped: boolean;
  closed_ms: number | null;
  confirmed: boolean | null;
  deltas: number | null;
  type: 'stopped';
}

/** Reads a generation's log after a record id; from a snapshot on if there is none. */
export interface LiveSubscribe {
  type: 'subscribe';
  generation: string;
  after?: string | null;
}

/** The generation's log is read from here on; a snapshot may have come before. */
export interface LiveSubscribed {
  type: 'subscribed';
  generation: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
}

/** Reads it no longer. */
export interface LiveUnsubscribe {
  type: 'unsubscribe';
  generation: string;
}

/** The models that this machine has and could have, and the download, if there is one. `free` is the room on the server's disk, `memory` the machine's memory, both in bytes. Without the `engine`, which the extra `local` brings, no model can run. */
export interface LocalModelList {
  items: LocalModelReply[];
  installed: InstalledModelReply[];
  download: DownloadReply | null;
  free: number | null;
  memory: number | null;
  engine: boolean;
}

/** A model of the curated list. `size`, `memory` (what a machine should have) and `partial` are bytes. `partial` is what an unfinished download has left. `model` is its id once it is installed. */
export interface LocalModelReply {
  name: string;
  title: string;
  description: string;
  license: string;
  source: string;
  size: number;
  memory: number;
  partial: number;
  model: string | null;
}

/** The access token of this server. */
export interface LoginBody {
  token: string;
}

/** One message of the tree. */
export interface MessageReply {
  id: string;
  parent: string | null;
  role: 'system' | 'user' | 'assistant' | 'tool';
  parts: (TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePartReply)[];
  created_at: string;
  model: string | null;
  generation: string | null;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted' | null;
  end: GenerationEnd | null;
  seams: Seam[];
  citations: Citation[];
}

/** Every model, and the one that answers when none is named. */
export interface ModelList {
  default: string | null;
  items: ModelReply[];
}

/** One model; `id` is `provider/model`. */
export interface ModelReply {
  id: string;
  name: string;
  provider: string;
  capabilities: Capabilities;
  readiness: Readiness;
}

/** Those of one model. */
export interface ModelStatistics {
  generations: number;
  errors: number;
  stopped: number;
  output_tokens: number | null;
  cost_usd: number | null;
  first_text_p50_ms: number | null;
  first_text_p95_ms: number | null;
  tok_s_p50: number | null;
  model: string;
}

/** Something a reader should know that isn't part of the answer, such as a retry. Codes: accepted, retrying, call-limit, answer-limit, abandoned, unreadable (in place of a stored record that is damaged), those of `ProviderNotice`; a reader ignores others. */
export interface Notice {
  code: string;
  message: string;
  details?: Record<string, unknown>;
}

/** An owner takes the log. `previous` is the last id of the epoch before, None at the first. */
export interface Open {
  previous: string | null;
  model: string;
  options?: Options;
}

/** The options of an answer; None leaves the model's own default. `extra` holds vendor fields passed through unchanged by dialects that know them (for example frequency_penalty, logit_bias, logprobs). `instructions` are a system text of this answer alone: they aren't part of the conversation. */
export interface Options {
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  stop?: string[];
  seed?: number;
  reasoning_effort?: string;
  tools?: Record<string, unknown>[];
  tool_choice?: string | Record<string, unknown>;
  response_format?: Record<string, unknown>;
  instructions?: string;
  extra?: Record<string, unknown>;
}

/** Options of an answer; absent leaves what is in force. */
export interface OptionsBody {
  temperature?: number | null;
  top_p?: number | null;
  max_tokens?: number | null;
  stop?: string[] | null;
  seed?: number | null;
  reasoning_effort?: string | null;
  tools?: Record<string, unknown>[] | null;
  tool_choice?: string | Record<string, unknown> | null;
  response_format?: Record<string, unknown> | null;
}

/** A part is complete. `duration_ms` is given for reasoning. */
export interface PartEnd {
  part: number;
  duration_ms?: number;
}

/** A part begins; parts are numbered densely from 0 within a generation. */
export interface PartStart {
  part: number;
  part_kind: 'text' | 'reasoning' | 'tool-call';
  call_id?: string;
  name?: string;
}

/** Prices of all tokens of a call whose prompt has more than `above` tokens. */
export interface PriceTier {
  above: number;
  input_price?: number | null;
  output_price?: number | null;
  cached_input_price?: number | null;
  cache_write_price?: number | null;
  reasoning_price?: number | null;
}

/** RFC 9457: what happened, to what, and what to do. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  fault: 'caller' | 'provider' | 'us';
  retryable: boolean;
  advice?: string | null;
  provider?: string | null;
  retry_after?: number | null;
  native?: string | null;
}

/** Every provider, usable or not. */
export interface ProviderList {
  items: ProviderReply[];
}

/** One provider. */
export interface ProviderReply {
  name: string;
  title: string;
  dialect: string;
  readiness: Readiness;
}

/** Whether something can be used now and, if not, why and what to do. `variable` names the environment variable that is missing; `progress` is 0..1 while loading. */
export interface Readiness {
  state: 'ready' | 'loading' | 'missing-key' | 'unreachable' | 'off';
  reason?: string;
  advice?: string;
  variable?: string;
  progress?: number;
}

/** Whether answers can be written, and how durably. */
export interface ReadyReply {
  status: 'ready' | 'degraded' | 'stopping';
  durability: 'FULL' | 'NORMAL' | 'OFF';
  storage: StorageReply;
  sqlite: string;
  running: number;
  flush_window_ms: number;
  version: string;
  requires_token: boolean;
}

/** Text added to a reasoning part, or its signature. */
export interface ReasoningDelta {
  part: number;
  text: string;
  signature?: string;
  deltas?: number;
}

/** A model's reasoning before its answer; `signature` goes back only to the model that made it. */
export interface ReasoningPart {
  text: string;
  signature?: string;
  duration_ms?: number;
  type: 'reasoning';
}

/** An answer that is running, and the conversation it belongs to. */
export interface RunningAnswerReply {
  id: string;
  conversation: string;
  title: string;
  origin: 'page' | 'api' | 'ephemeral';
  message: string;
  model: string;
  created_at: string;
}

/** The answers that are running, oldest first. */
export interface RunningAnswersReply {
  items: RunningAnswerReply[];
}

/** Between two segments. `text_length`, in code points so far, is where the mark stands. `mode` is None when no text stood before it. `changes` maps an option (or "model") to its [old, new]. */
export interface Seam {
  reason: 'options' | 'restart' | 'provider-lost' | 'fallback' | 'continued';
  mode: 'prefix' | 'instruction' | null;
  model: string;
  options: Options;
  text_length: number;
  changes?: Record<string, unknown[]>;
  details?: Record<string, unknown>;
}

/** A message that matches, or (where `message` is null) a conversation whose title does. `snippet` marks matches between U+0002 and U+0003. `created_at` is the message's, or when the conversation was last active. */
export interface SearchHitReply {
  conversation: string;
  title: string;
  origin: 'page' | 'api' | 'ephemeral';
  created_at: string;
  message: string | null;
  role: 'system' | 'user' | 'assistant' | 'tool' | null;
  model: string | null;
  snippet: string | null;
}

/** One page of a search. */
export interface SearchReply {
  items: SearchHitReply[];
  next_cursor: string | null;
}

/** A stretch of an answer that one upstream call wrote. Lengths are in code points. */
export interface SegmentReply {
  offset: number;
  model: string | null;
  options: Options;
  reason: 'options' | 'restart' | 'provider-lost' | 'fallback' | 'continued' | null;
  mode: 'prefix' | 'instruction' | null;
  start_ms: number;
  end_ms: number;
  text_length: number;
}

/** The body of all calls of the simple chat endpoint. `model` may be bare or `provider/model`. */
export interface SimpleChatBody {
  messages: SimpleChatMessage[];
  model?: string | null;
  provider?: string | null;
  temperature?: number | null;
  top_p?: number | null;
  max_tokens?: number | null;
  stream?: boolean | null;
}

/** One line of the simple chat endpoint. Those with `done: false` hold the first four members only. Over WebSocket a line has the `id` of its record as well; with SSE that is a field of its own. */
export interface SimpleChatLine {
  content: string;
  done: boolean;
  model: string | null;
  provider: string | null;
  generation?: string | null;
  ending?: 'done' | 'stopped' | 'failed' | 'interrupted' | null;
  finish_reason?: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'refusal' | 'unknown' | null;
  usage?: Usage | null;
  error?: ErrorObject | null;
  id?: string | null;
}

/** A message of the simple chat endpoint. */
export interface SimpleChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** An answer of the simple chat endpoint, whole. */
export interface SimpleChatReply {
  content: string;
  role: 'assistant';
  model: string;
  provider: string;
  usage: Usage | null;
  finish_reason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'refusal' | 'unknown' | null;
  ending: 'done' | 'stopped' | 'failed' | 'interrupted';
  generation: string;
}

/** Stops the answer that `WS /ws/chat` is writing, or is about to write. */
export interface SimpleChatStop {
  type: 'stop';
}

/** A snapshot on a native transport; `id` is the record after which its tail continues. */
export interface SnapshotFrame {
  id: string;
  conversation: string;
  message: string;
  parent: string | null;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  model: string;
  options: Options;
  last_id: string;
  text: string;
  parts: (TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePartReply)[];
  seams: Seam[];
  citations: Citation[];
  usage: Usage | null;
  timings: Timings | null;
  error: ErrorObject | null;
  created_at: string;
  end: GenerationEnd | null;
  kind: 'snapshot';
  generation: string;
}

/** What was started; `generations` are all of them when several models answer. */
export interface StartedReply {
  id: string;
  conversation: string;
  message: string;
  parent: string | null;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  model: string;
  options: Options;
  last_id: string;
  text: string;
  parts: (TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePartReply)[];
  seams: Seam[];
  citations: Citation[];
  usage: Usage | null;
  timings: Timings | null;
  error: ErrorObject | null;
  created_at: string;
  end: GenerationEnd | null;
  generations?: GenerationReply[];
}

/** How a stop went: `closed_ms` from the request until the upstream was closed. */
export interface StopReceipt {
  closed_ms: number | null;
  confirmed: boolean | null;
  deltas: number;
}

/** The receipt of a stop, null where it is unknown. `stopped` is false when nothing was running. */
export interface StopReply {
  generation: string;
  status: 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';
  stopped: boolean;
  closed_ms: number | null;
  confirmed: boolean | null;
  deltas: number | null;
}

/** Whether records can be stored, and why not. `free` is the room of the data folder in bytes. */
export interface StorageReply {
  ok: boolean;
  version: string;
  error: string | null;
  folder: string;
  free: number | null;
}

/** Statistics in all, by model and by day. */
export interface SummaryReply {
  totals: AnswerStatistics;
  by_model: ModelStatistics[];
  by_day: DayStatistics[];
}

/** Text added to a text part. */
export interface TextDelta {
  part: number;
  text: string;
  deltas?: number;
  logprobs?: Record<string, unknown>[];
}

/** Plain text (Markdown in answers). */
export interface TextPart {
  text: string;
  type: 'text';
}

/** Text. */
export interface TextPartBody {
  type: 'text';
  text: string;
}

/** How long an answer took; unknown values are left out. */
export interface Timings {
  queued_ms?: number;
  connect_ms?: number;
  first_text_ms?: number;
  first_event_ms?: number;
  duration_ms?: number;
  writing_ms?: number;
  max_gap_ms?: number;
  stalls?: number;
  deltas?: number;
  deltas_s?: number;
  tok_s?: number;
  segments?: number;
  retries?: number;
}

/** A fragment of the JSON text of a tool call's arguments. */
export interface ToolCallDelta {
  part: number;
  arguments: string;
  signature?: string;
}

/** A tool call that the model requests. `arguments` is JSON text, "{}" when empty. */
export interface ToolCallPart {
  call_id: string;
  name: string;
  arguments: string;
  signature?: string;
  type: 'tool-call';
}

/** A tool's result, as text. */
export interface ToolResultPart {
  call_id: string;
  text: string;
  is_error?: boolean;
  type: 'tool-result';
}

/** Token counts as the vendor reports them; None is unknown, never 0. `input_tokens` includes cached ones; `output_tokens` includes reasoning. `partial` says that a call broke off before it had reported everything: the counts are then a lower bound. */
export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cached_input_tokens?: number;
  cache_write_tokens?: number;
  reasoning_tokens?: number;
  cost_usd?: number;
  partial?: boolean;
}

/** Usage of the whole generation so far. */
export interface UsageReport {
  usage: Usage;
}
