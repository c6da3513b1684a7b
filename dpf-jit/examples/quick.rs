#![allow(unsafe_code, missing_docs)]
use dpf_jit::*;
use std::time::Instant;
fn tsc()->u64{ unsafe{ core::arch::x86_64::_rdtsc() } }
fn frames(path:&str)->Vec<Vec<u8>>{ let b=std::fs::read(path).unwrap(); let mut o=24; let mut v=vec![]; while o<b.len(){ let n=u32::from_le_bytes(b[o+8..o+12].try_into().unwrap()) as usize; v.push(b[o+16..o+16+n].to_vec()); o+=16+n;} v}
fn main(){
 let dir="/work/shared/packets/bench";
 for n in [10,100,1000,10000]{
  let t=std::fs::read_to_string(format!("{dir}/flows_{n}.tsv")).unwrap();
  let mut c=Classifier::new().unwrap();
  let fs:Vec<Filter>=t.lines().map(|l|{let f:Vec<&str>=l.split('\t').collect();
   let s:std::net::Ipv4Addr=f[2].parse().unwrap(); let d:std::net::Ipv4Addr=f[4].parse().unwrap();
   Filter::builder().ipv4().src_v4(s,32).dst_v4(d,32).tcp().src_port(f[3].parse().unwrap()).dst_port(f[5].parse().unwrap()).build().unwrap()}).collect();
  let mut worst=0; let t0=Instant::now(); let mut ids=vec![];
  let mut times=vec![];
  for f in fs.iter() { let a=Instant::now(); ids.push(c.insert(f.clone()).unwrap()); let e=a.elapsed().as_nanos(); times.push(e); worst=worst.max(e);} 
  let avg=t0.elapsed().as_nanos()/n as u128; times.sort();
  for kind in ["hit","miss"]{
   let p=frames(&format!("{dir}/pkts_{n}_{kind}.pcap"));
   let mut best=u64::MAX; let mut m=0;
   for _ in 0..300{ let a=tsc(); m=0u64; for f in &p { if let Verdict::Match(id)=c.classify(f){m+=id.index() as u64+1;} } best=best.min(tsc()-a);} 
   println!("{n} {kind} {:.1} m={m} insert avg {avg} ns worst {worst} p999 {:?}",best as f64/p.len() as f64, times[times.len()*999/1000]);
  }
  if n==10 { println!("{}",c.disassemble()); }
  let a=Instant::now(); let mut w=0; for id in ids{let b=Instant::now(); c.remove(id).unwrap(); w=w.max(b.elapsed().as_nanos());} println!("remove avg {} worst {w}", a.elapsed().as_nanos()/n as u128);
 }
}
