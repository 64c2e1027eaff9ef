// The API's types under the names that the page uses. Their shapes are generated from the server: see schema.ts.
import type {
  ConversationListItem,
  ConversationReply,
  DownloadReply,
  Event,
  Frame as FrameReply,
  GenerationBody,
  GenerationReply,
  InspectionReply,
  InstalledModelReply,
  LocalModelReply,
  MessageReply,
  ModelReply,
  Options,
  ProviderReply,
  ReadyReply,
  RunningAnswerReply,
  SearchHitReply,
  SegmentReply,
  StartedReply,
  SummaryReply
} from './schema.ts';

export type {
  ChangeReply,
  CheckReply,
  Citation,
  ConversationBody,
  ConversationList,
  DayStatistics,
  DocumentTextReply,
  DownloadBody,
  ErrorObject,
  FilePartBody,
  GenerationEnd,
  Hello,
  ImagePartBody,
  ImportReply,
  LocalModelList,
  ModelList,
  ProviderList,
  RunningAnswersReply,
  SearchReply,
  Seam,
  StopReply,
  Usage
} from './schema.ts';
export type { Options };

export type ConversationRow = ConversationListItem;
export type Conversation = ConversationReply;
export type Message = MessageReply;
export type Generation = GenerationReply;
export type Started = StartedReply;
export type RunningAnswer = RunningAnswerReply;
export type SearchHit = SearchHitReply;
export type Model = ModelReply;
export type LocalModel = LocalModelReply;
export type InstalledModel = InstalledModelReply;
export type Download = DownloadReply;
export type Provider = ProviderReply;
export type ServerState = ReadyReply;
export type Segment = SegmentReply;
export type Summary = SummaryReply;
export type Trace = InspectionReply;
export type TraceRow = InspectionReply['trace'][number];

/** A part as the server returns it; an image by its URL. */
export type Part = Message['parts'][number];
/** A part as it is sent; an image as base64. */
export type SentPart = NonNullable<GenerationBody['parts']>[number];
export type PartKind = Extract<Event, { kind: 'part-start' }>['part_kind'];

export type EventBody = Event;
/** One or more records: `id` is the last one's, `records` how many (absent: one), `at` ms since 1970. */
export type Frame = FrameReply;
export type Snapshot = Generation & { kind: 'snapshot' };
export type StartBody = GenerationBody;
