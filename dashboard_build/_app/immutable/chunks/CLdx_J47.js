import{B as a}from"./DH7iZuSG.js";a();
