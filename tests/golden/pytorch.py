"""Makes pytorch.json; see README.md."""
import json, pathlib, sys, torch, torch.nn as nn, numpy as np
from safetensors.torch import load_file
torch.set_default_dtype(torch.float64); torch.set_num_threads(1)
D=str(pathlib.Path(__file__).resolve().parents[2]/"data")+"/"
out={}
def flat(t): return [float(v) for v in t.detach().reshape(-1)]
# forward of the nets that come with the project
for name,w,x in (("nagisa","nagisa_char_bilstm","nagisa_char_input"),("silero","silero_vad_16k_lstm","silero_vad_16k_input_400")):
    sd=load_file(D+w+".safetensors"); x=torch.tensor(np.load(D+x+".npy"),dtype=torch.float64)
    h=sd["weight_hh_l0"].shape[1]; bi="weight_hh_l0_reverse" in sd
    net=nn.LSTM(x.shape[1],h,bidirectional=bi); net.load_state_dict({k:v.double() for k,v in sd.items()})
    o,(hn,cn)=net(x[:,None])
    rows=[0,1,len(x)//2,len(x)-1]
    out[name]=dict(steps=len(x),rows=rows,outputs=[flat(o[r,0]) for r in rows],h=flat(hn),c=flat(cn))
# gradients of a loss over 50 steps
torch.manual_seed(7)
cases=[]
for kind,cls,kw in (("rnn-tanh",nn.RNN,{}),("rnn-relu",nn.RNN,dict(nonlinearity="relu")),("lstm",nn.LSTM,{}),("gru",nn.GRU,{})):
    for layers,bi in ((1,False),(2,False),(1,True),(2,True)):
        if kind=="rnn-relu" and (layers,bi)!=(1,False): continue
        H,X,T=3,2,50
        net=cls(X,H,num_layers=layers,bidirectional=bi,**kw)
        d=2 if bi else 1
        # inputs, starts and weights by formula, so that the fixture holds results only
        def wave(n,phase): return torch.sin(0.7*torch.arange(n,dtype=torch.float64)+phase)
        net.load_state_dict({k:0.6*wave(v.numel(),float(i)).reshape(v.shape) for i,(k,v) in enumerate(net.state_dict().items())})
        x=wave(T*X,0.3).reshape(T,1,X).requires_grad_()
        h0=(0.5*wave(layers*d*H,1.1)).reshape(layers*d,1,H).requires_grad_()
        c0=(0.5*wave(layers*d*H,2.2)).reshape(layers*d,1,H).requires_grad_()
        o,last=net(x,(h0,c0) if kind=="lstm" else h0)
        hn,cn=last if kind=="lstm" else (last,None)
        loss=(o*wave(o.numel(),0.9).reshape(o.shape)).sum()/T + (hn*hn).sum()
        if cn is not None: loss=loss+(cn*cn).sum()
        loss.backward()
        g={k:flat(p.grad) for k,p in net.named_parameters()}
        cases.append(dict(kind=kind,layers=layers,bidirectional=bi,hidden=H,inputs=X,steps=T,loss=float(loss.detach()),names=list(net.state_dict()),gradients=g,
            h0_gradient=flat(h0.grad), c0_gradient=flat(c0.grad) if kind=="lstm" else []))
out["gradients"]=cases
# A file as `cells::pytorch::write` makes it (a test there holds it against these bytes): it loads, and runs as `written` says.
import struct
H,X,T=3,2,5
net=nn.LSTM(X,H,num_layers=2,bidirectional=True)
named={k:v.shape for k,v in net.state_dict().items()}
def number(i): return ((i*37%64)-31.5)/32
header,body,at={"__metadata__":{}},b"",0
flat_order={}
for k,shape in named.items():
    rows,columns=shape[0],(shape[1] if len(shape)>1 else 1)
    # our flat parameters run column by column
    flat_order[k]=[number(at+j*rows+i) for i in range(rows) for j in range(columns)]; at+=rows*columns
for k in sorted(named):
    data=struct.pack("<%df"%len(flat_order[k]),*flat_order[k])
    header[k]=dict(dtype="F32",shape=list(named[k]),data_offsets=[len(body),len(body)+len(data)]); body+=data
head=json.dumps(header,separators=(",",":"),sort_keys=True).encode(); head+=b" "*(-len(head)%8)
path=pathlib.Path(__file__).with_name("written.safetensors")
path.write_bytes(struct.pack("<Q",len(head))+head+body)
print(net.load_state_dict({k:v.double() for k,v in load_file(path).items()}),file=sys.stderr)
x=torch.tensor([number(i) for i in range(T*X)]).reshape(T,1,X)
out["written"]=dict(outputs=flat(net(x)[0]))
json.dump(out,sys.stdout,separators=(",",":"))
