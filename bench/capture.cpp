// capture INTERFACE PORT FILE: what does the kernel say about each segment to and from this TCP port? A
// packet socket (TPACKET_V3 ring) takes IPv4 segments with payload until stdin ends or 10 minutes have
// passed. It runs only while nobody else wants the core (SCHED_IDLE); the ring holds what comes meanwhile.
// Then it writes one line a segment:
//
//     AT_NS in|out LENGTH CLIENT_PORT [STAMP...]
//
// AT_NS: the kernel's stamp of the packet, on CLOCK_MONOTONIC. in: towards this host. STAMP: the 32 hex
// digits of each of the simulator's events that this segment completed. On loopback each packet passes twice;
// the arriving one counts. Prints READY, at the end a JSON line. Exit: 3 where the machine does not allow it.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event_finder.hpp"
#include "machine_clock.hpp"

namespace tokometer::bench {
namespace {

constexpr uint32_t kBlockBytes = 1U << 20, kBlocks = 96, kRetireMs = 100;
constexpr int kNotAllowed = 3, kWakeMs = 100;
constexpr int64_t kLongestNs = 600'000'000'000, kClockStepNs = 10'000;

struct Segment {
  int64_t at_ns;
  uint32_t length;
  uint16_t client_port;
  bool arriving;
  size_t first_stamp, stamps;  // in Capture::stamps_
};

int refuse(const char* what) {
  std::fprintf(stderr, "capture: %s: %s\n", what, std::strerror(errno));
  return kNotAllowed;
}

class Capture {
 public:
  explicit Capture(uint16_t port) : port_(port) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    if (ring_ != nullptr) ::munmap(ring_, size_t{kBlockBytes} * kBlocks);
    if (fd_ >= 0) ::close(fd_);
  }

  int open(const char* interface);
  void run();
  int write(const char* path) const;
  void print_summary();

 private:
  bool is_loopback(const char* interface) const;
  bool filter(bool loopback) const;
  bool drain();
  void take(const tpacket3_hdr& header);
  void segment(std::string_view ip, const Segment& seen);
  void sample_clock();

  template <typename Value>
  bool set(int level, int name, const Value& value) const {
    return ::setsockopt(fd_, level, name, &value, sizeof value) == 0;
  }

  uint16_t port_;
  int fd_ = -1;
  unsigned char* ring_ = nullptr;
  uint32_t block_ = 0;
  int64_t wall_offset_ns_ = 0;
  std::vector<Segment> segments_;
  std::string stamps_;
  std::unordered_map<uint16_t, EventFinder> connections_;  // by the client's port
  uint64_t events_ = 0, cut_short_ = 0, clock_steps_ = 0;
  // A packet of a local sender arrives with the sender's departure time in place of a stamp. The kernel then
  // reads the clock as it fills the ring, and again, a moment later, for the socket: two independent stamps.
  uint64_t stamped_in_ring_ = 0;
};

bool Capture::is_loopback(const char* interface) const {
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  return ::ioctl(fd_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_LOOPBACK) != 0;
}

// The packet begins at its IP header (SOCK_DGRAM). Not a fragment, TCP, our port at either side; on loopback
// not outgoing.
bool Capture::filter(bool loopback) const {
  const uint32_t kind = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kind),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loopback ? uint32_t{PACKET_OUTGOING} : UINT32_MAX, 10, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 8),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 6, 0),
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port_, 2, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port_, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return set(SOL_SOCKET, SO_ATTACH_FILTER, sock_fprog{static_cast<uint16_t>(std::size(code)), code});
}

int Capture::open(const char* interface) {
  fd_ = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);  // protocol 0: nothing arrives before bind()
  if (fd_ < 0) return refuse("a packet socket is not allowed here");
  if (!filter(is_loopback(interface))) return refuse("SO_ATTACH_FILTER");
  const int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  if (!set(SOL_SOCKET, SO_TIMESTAMPING, stamps)) return refuse("SO_TIMESTAMPING");
  if (!set(SOL_PACKET, PACKET_TIMESTAMP, int{SOF_TIMESTAMPING_SOFTWARE})) return refuse("PACKET_TIMESTAMP");
  if (!set(SOL_PACKET, PACKET_VERSION, int{TPACKET_V3})) return refuse("TPACKET_V3");
  tpacket_req3 ring{};
  ring.tp_block_size = kBlockBytes;
  ring.tp_block_nr = kBlocks;
  ring.tp_frame_size = 2048;
  ring.tp_frame_nr = kBlockBytes / ring.tp_frame_size * kBlocks;
  ring.tp_retire_blk_tov = kRetireMs;
  if (!set(SOL_PACKET, PACKET_RX_RING, ring)) return refuse("PACKET_RX_RING");
  void* memory = ::mmap(nullptr, size_t{kBlockBytes} * kBlocks, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) return refuse("mmap of the ring");
  ring_ = static_cast<unsigned char*>(memory);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);  // with ETH_P_IP alone no outgoing packet would be seen
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
  if (address.sll_ifindex == 0) return refuse(interface);
  if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return refuse("bind");
  wall_offset_ns_ = wall_offset_ns();
  return 0;
}

void Capture::sample_clock() {
  const int64_t offset = wall_offset_ns();
  clock_steps_ += std::llabs(offset - wall_offset_ns_) > kClockStepNs ? 1 : 0;
  wall_offset_ns_ = offset;
}

// Until stdin ends; what came before that is still taken.
void Capture::run() {
  const int64_t begin = now_ns();
  pollfd wanted[2] = {{fd_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  bool ended = false;
  while (!ended && now_ns() - begin < kLongestNs) {
    ::poll(wanted, 2, kWakeMs);
    ended = wanted[1].revents != 0;
    sample_clock();
    while (drain()) {
    }
  }
  ::poll(nullptr, 0, 3 * kRetireMs);  // the last block is handed over by its timer
  while (drain()) {
  }
}

// One block of the ring; false: the next is still the kernel's.
bool Capture::drain() {
  auto* block = reinterpret_cast<tpacket_block_desc*>(ring_ + size_t{block_} * kBlockBytes);
  std::atomic_ref<uint32_t> status(block->hdr.bh1.block_status);
  if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return false;
  const auto* at = reinterpret_cast<unsigned char*>(block) + block->hdr.bh1.offset_to_first_pkt;
  for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; ++i) {
    const auto& header = *reinterpret_cast<const tpacket3_hdr*>(at);
    take(header);
    at += header.tp_next_offset;
  }
  status.store(TP_STATUS_KERNEL, std::memory_order_release);
  block_ = (block_ + 1) % kBlocks;
  return true;
}

void Capture::take(const tpacket3_hdr& header) {
  cut_short_ += header.tp_snaplen < header.tp_len ? 1 : 0;
  stamped_in_ring_ += (header.tp_status & TP_STATUS_TS_SOFTWARE) == 0 ? 1 : 0;
  const auto* bytes = reinterpret_cast<const char*>(&header);
  const auto& link = *reinterpret_cast<const sockaddr_ll*>(bytes + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
  Segment seen{};
  seen.at_ns = int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec - wall_offset_ns_;
  seen.arriving = link.sll_pkttype != PACKET_OUTGOING;
  segment({bytes + header.tp_net, header.tp_snaplen}, seen);
}

void Capture::segment(std::string_view ip, const Segment& seen) {
  iphdr network{};
  tcphdr transport{};
  if (ip.size() < sizeof network) return;
  std::memcpy(&network, ip.data(), sizeof network);
  const size_t at = size_t{network.ihl} * 4;
  // A segment that offload has made may say 0 or too little; its link layer pads short ones.
  const size_t total =
      ntohs(network.tot_len) == 0 ? ip.size() : std::min<size_t>(ntohs(network.tot_len), ip.size());
  if (network.version != 4 || total < at + sizeof transport) return;
  std::memcpy(&transport, ip.data() + at, sizeof transport);
  const bool from_server = ntohs(transport.source) == port_;
  EventFinder& finder = connections_[ntohs(from_server ? transport.dest : transport.source)];
  if (transport.syn != 0 && from_server) finder.begin(ntohl(transport.seq) + 1);
  const size_t payload = at + size_t{transport.doff} * 4;
  if (total <= payload) return;
  Segment line = seen;
  line.length = static_cast<uint32_t>(total - payload);
  line.client_port = ntohs(from_server ? transport.dest : transport.source);
  line.first_stamp = stamps_.size();
  if (from_server) {
    finder.segment(ntohl(transport.seq), ip.substr(payload, line.length),
                   [this](std::string_view stamp) { stamps_.append(stamp); });
  }
  line.stamps = (stamps_.size() - line.first_stamp) / EventFinder::kStampBytes;
  events_ += line.stamps;
  segments_.push_back(line);
}

int Capture::write(const char* path) const {
  std::FILE* file = std::fopen(path, "we");
  if (file == nullptr) {
    std::perror(path);
    return 1;
  }
  for (const Segment& line : segments_) {
    std::fprintf(file, "%lld %s %u %u", static_cast<long long>(line.at_ns), line.arriving ? "in" : "out",
                 line.length, line.client_port);
    for (size_t i = 0; i < line.stamps; ++i) {
      std::fprintf(file, " %.*s", static_cast<int>(EventFinder::kStampBytes),
                   stamps_.data() + line.first_stamp + i * EventFinder::kStampBytes);
    }
    std::fputc('\n', file);
  }
  const bool failed = std::ferror(file) != 0;
  return std::fclose(file) != 0 || failed ? 1 : 0;
}

void Capture::print_summary() {
  tpacket_stats_v3 stats{};
  socklen_t length = sizeof stats;
  ::getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
  uint64_t holes = 0;
  for (const auto& [port, finder] : connections_) holes += finder.holes();
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "{\"packets\":%u,\"dropped\":%u,\"segments\":%llu,\"events\":%llu,\"connections\":%llu,\"holes\":%llu,"
      "\"cut_short\":%llu,\"stamped_in_ring\":%llu,\"clock_steps\":%llu}\n",
      stats.tp_packets, stats.tp_drops, number(segments_.size()), number(events_),
      number(connections_.size()), number(holes), number(cut_short_), number(stamped_in_ring_),
      number(clock_steps_));
}

int run(int argc, char** argv) {
  const int port = argc == 4 ? std::atoi(argv[2]) : 0;
  if (port <= 0 || port > UINT16_MAX) {
    std::fprintf(stderr, "usage: capture INTERFACE PORT FILE   (until stdin ends)\n");
    return 2;
  }
  Capture capture(static_cast<uint16_t>(port));
  if (const int code = capture.open(argv[1]); code != 0) return code;
  const sched_param priority{};
  if (::sched_setscheduler(0, SCHED_IDLE, &priority) != 0) std::perror("capture: SCHED_IDLE");
  std::printf("READY\n");
  std::fflush(stdout);
  capture.run();
  const int code = capture.write(argv[3]);
  capture.print_summary();
  return code;
}

}  // namespace
}  // namespace tokometer::bench

int main(int argc, char** argv) {
  return tokometer::bench::run(argc, argv);
}
